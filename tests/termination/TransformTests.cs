using System.Net;
using System.Net.Http;
using System.Text;
using Corral.Egress.Flows;
using Corral.Egress.V1;
using Corral.Tests.Support;
using Microsoft.AspNetCore.Http;

namespace Corral.Termination.Tests;

/// <summary>What is done to requests to a name with a transform.</summary>
public sealed class TransformTests
{
    public static TheoryData<string> Versions => ["1.1", "2.0"];

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task InjectedHeader_TakesThePlaceOfTheClientsOwn(string version)
    {
        await using var origin = await Origin.TlsAsync(Origin.EchoAsync, "api.test");
        await using var terminating = await StartAsync(origin, Terminating.Inject("api.test", "Authorization", "Bearer " + Terminating.Secret));
        using var client = terminating.Client(terminating.Listen("api.test"), Version.Parse(version));
        using var request = new HttpRequestMessage(HttpMethod.Get, "https://api.test/") { Version = Version.Parse(version) };
        request.Headers.TryAddWithoutValidation("Authorization", "Bearer the-clients-own");
        using var answer = await client.SendAsync(request);
        var echo = await answer.Content.ReadAsStringAsync();
        Assert.Contains($"authorization: Bearer {Terminating.Secret}\n", echo, StringComparison.Ordinal);
        Assert.DoesNotContain("the-clients-own", echo, StringComparison.Ordinal);
        Assert.Contains($" HTTP/{version.Replace("2.0", "2", StringComparison.Ordinal)}\n", echo, StringComparison.Ordinal);
    }

    [Fact]
    public async Task InjectedHeader_OfASecretThatWasRevokedMeanwhile_IsNotSent_AndTheRequestIsRefused()
    {
        await using var origin = await Origin.TlsAsync(Origin.EchoAsync, "api.test");
        await using var terminating = await StartAsync(origin, Terminating.Inject("api.test", "Authorization", Terminating.Secret));
        using var client = terminating.Client(terminating.Listen("api.test"));
        Assert.Contains(Terminating.Secret, await client.GetStringAsync("https://api.test/"), StringComparison.Ordinal);
        terminating.Apply(Terminating.Inject("api.test", "Authorization", ""));
        using var answer = await client.GetAsync("https://api.test/");
        Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
        Assert.Contains("SECRET_REVOKED", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1.1", "")]
    [InlineData("1.1", "another")]
    [InlineData("2.0", "")]
    [InlineData("2.0", "another")]
    public async Task InjectedHeader_OfASecretThatIsTakenBackWhileItsRequestWaitsForAConnection_IsNotSent(string version, string value)
    {
        var arrived = 0;
        await using var origin = await Origin.TlsAsync(context =>
        {
            Interlocked.Increment(ref arrived);
            return Origin.EchoAsync(context);
        }, "api.test");
        await using var terminating = await StartAsync(origin, Terminating.Inject("api.test", "Authorization", Terminating.Secret));
        var open = new TaskCompletionSource();
        terminating.Dialer.Open = open.Task;
        using var client = terminating.Client(terminating.Listen("api.test"), Version.Parse(version));
        using var body = new StringContent("the body");
        var asked = client.PostAsync("https://api.test/", body);
        await Eventually.Async("its server is dialled", () => terminating.Dialer.Dialled == 1);
        terminating.Apply(Terminating.Inject("api.test", "Authorization", value));
        open.SetResult();
        using var answer = await asked;
        Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
        Assert.Equal(Refusals.PolicyChanged, answer.Headers.GetValues("x-corral-egress").Single());
        Assert.Equal(0, arrived);
        var record = await terminating.RecordAsync();
        Assert.Equal((false, Refusals.PolicyChanged), (record.Allowed, record.Reason));
        using var next = await client.GetAsync("https://api.test/");
        Assert.Equal(value.Length == 0 ? HttpStatusCode.Forbidden : HttpStatusCode.OK, next.StatusCode);
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task InjectedHeader_OfASecretThatStands_IsSent_WhateverElseChangesMeanwhile(string version)
    {
        await using var origin = await Origin.TlsAsync(Origin.EchoAsync, "api.test");
        await using var terminating = await StartAsync(origin, Terminating.Inject("api.test", "Authorization", Terminating.Secret));
        var open = new TaskCompletionSource();
        terminating.Dialer.Open = open.Task;
        using var client = terminating.Client(terminating.Listen("api.test"), Version.Parse(version));
        var asked = client.GetStringAsync("https://api.test/");
        await Eventually.Async("its server is dialled", () => terminating.Dialer.Dialled == 1);
        var changed = Terminating.Inject("api.test", "Authorization", Terminating.Secret);
        changed.Transforms[0].InjectHeaders.Add(new InjectedHeader { Name = "X-New", Value = "1" });
        changed.AllowDomains.Add("other.test");
        terminating.Apply(changed);
        open.SetResult();
        Assert.Contains($"authorization: {Terminating.Secret}\n", await asked, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task RequestThatHasLeft_IsAnswered_ThoughItsSecretIsReplaced(string version)
    {
        var (arrived, replaced) = (new TaskCompletionSource(), new TaskCompletionSource());
        await using var origin = await Origin.TlsAsync(async context =>
        {
            arrived.SetResult();
            await replaced.Task;
            await Origin.EchoAsync(context);
        }, "api.test");
        await using var terminating = await StartAsync(origin, Terminating.Inject("api.test", "Authorization", Terminating.Secret));
        using var client = terminating.Client(terminating.Listen("api.test"), Version.Parse(version));
        var asked = client.GetStringAsync("https://api.test/");
        await arrived.Task;
        terminating.Apply(Terminating.Inject("api.test", "Authorization", "another"));
        replaced.SetResult();
        Assert.Contains($"authorization: {Terminating.Secret}\n", await asked, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task InjectedHeader_ReachesARequestWithABody(string version)
    {
        await using var origin = await Origin.TlsAsync(Origin.EchoAsync, "api.test");
        await using var terminating = await StartAsync(origin, Terminating.Inject("api.test", "Authorization", "Bearer " + Terminating.Secret));
        using var client = terminating.Client(terminating.Listen("api.test"), Version.Parse(version));
        using var body = new StringContent("the body", Encoding.UTF8, "text/plain");
        using var answer = await client.PostAsync("https://api.test/", body);
        var echo = await answer.Content.ReadAsStringAsync();
        Assert.Contains($"authorization: Bearer {Terminating.Secret}\n", echo, StringComparison.Ordinal);
        Assert.Contains("content-type: text/plain; charset=utf-8\n", echo, StringComparison.Ordinal);
        Assert.EndsWith("\n\nthe body", echo, StringComparison.Ordinal);
    }

    [Fact]
    public async Task StrippedHeader_DoesNotArrive_AndWhatIsBothStrippedAndInjectedIsInjected()
    {
        var policy = Terminating.Inject("api.test", "X-Key", Terminating.Secret);
        policy.Transforms[0].StripHeaders.Add(["X-Debug", "x-key", "Content-Language"]);
        await using var origin = await Origin.TlsAsync(Origin.EchoAsync, "api.test");
        await using var terminating = await StartAsync(origin, policy);
        using var client = terminating.Client(terminating.Listen("api.test"));
        using var request = new HttpRequestMessage(HttpMethod.Put, "https://api.test/") { Content = new StringContent("x") };
        request.Headers.Add("x-debug", ["1", "2"]);
        request.Headers.Add("X-KEY", "mine");
        request.Headers.Add("X-Kept", "kept");
        request.Content.Headers.ContentLanguage.Add("en");
        using var answer = await client.SendAsync(request);
        var echo = await answer.Content.ReadAsStringAsync();
        Assert.DoesNotContain("x-debug", echo, StringComparison.Ordinal);
        Assert.DoesNotContain("content-language", echo, StringComparison.Ordinal);
        Assert.DoesNotContain("mine", echo, StringComparison.Ordinal);
        Assert.Contains("x-kept: kept\n", echo, StringComparison.Ordinal);
        Assert.Contains($"x-key: {Terminating.Secret}\n", echo, StringComparison.Ordinal);
    }

    [Fact]
    public async Task MostSpecificTransform_Wins()
    {
        var policy = Terminating.Inject("*.test", "X-Which", "wide");
        policy.Transforms.Clear();
        foreach (var (domain, value) in new[] { ("*.one.test", "wide"), ("a.one.test", "narrow") })
        {
            policy.Transforms.Add(new Transform { Domain = domain, InjectHeaders = { new InjectedHeader { Name = "X-Which", Value = value } } });
        }

        await using var origin = await Origin.TlsAsync(Origin.EchoAsync, "a.one.test", "b.c.one.test");
        await using var terminating = await StartAsync(origin, policy, "a.one.test", "b.c.one.test");
        using var narrow = terminating.Client(terminating.Listen("a.one.test"));
        using var wide = terminating.Client(terminating.Listen("b.c.one.test"));
        Assert.Contains("x-which: narrow\n", await narrow.GetStringAsync("https://a.one.test/"), StringComparison.Ordinal);
        Assert.Contains("x-which: wide\n", await wide.GetStringAsync("https://b.c.one.test/"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ChangedPolicy_HoldsForTheNextRequestOfTheSameConnection()
    {
        await using var origin = await Origin.TlsAsync(Origin.EchoAsync, "api.test");
        await using var terminating = await StartAsync(origin, Terminating.Inject("api.test", "X-Key", "first"));
        await using var client = await RawClient.TlsAsync(terminating, terminating.Listen("api.test"), "api.test");
        const string Request = "GET / HTTP/1.1\r\nHost: api.test\r\n\r\n";
        await client.SendAsync(Request);
        Assert.Contains("x-key: first\n", await client.AnswerAsync(), StringComparison.Ordinal);
        terminating.Apply(Terminating.Inject("api.test", "X-Key", "second"));
        await client.SendAsync(Request);
        Assert.Contains("x-key: second\n", await client.AnswerAsync(), StringComparison.Ordinal);
        terminating.Apply(Terminating.Allow("api.test"));
        await client.SendAsync(Request);
        Assert.DoesNotContain("x-key", await client.AnswerAsync(), StringComparison.Ordinal);
        terminating.Apply(Terminating.Allow("other.test"));
        await client.SendAsync(Request);
        Assert.StartsWith("HTTP/1.1 403 ", await client.AnswerAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task Target_ArrivesByteForByte(string version)
    {
        await using var origin = await Origin.TlsAsync(Origin.EchoAsync, "api.test");
        await using var terminating = await StartAsync(origin, Terminating.Inject("api.test", "X-Key", "1"));
        using var client = terminating.Client(terminating.Listen("api.test"), Version.Parse(version));
        foreach (var target in new[] { "/a%2fb/%41/../%2e%2e/c?q=%7e&x=%20+a%2B", "/%zz", "//double//slash/./x", "/a;b=c,d/'(e)*!$&", "/?", "/" })
        {
            var uri = new Uri("https://api.test" + target, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
            using var request = new HttpRequestMessage(HttpMethod.Get, uri) { Version = Version.Parse(version) };
            using var answer = await client.SendAsync(request);
            Assert.StartsWith($"GET {target} HTTP/", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Answer_IsPassedOnAsItIs_ButForAltSvc()
    {
        var packed = new byte[] { 0x1f, 0x8b, 8, 0, 1, 2, 3, 4 };
        await using var origin = await Origin.TlsAsync(async context =>
        {
            context.Response.StatusCode = StatusCodes.Status302Found;
            context.Response.Headers.Location = "https://elsewhere.test/";
            context.Response.Headers.AltSvc = "h3=\":443\"";
            context.Response.Headers.ContentEncoding = "gzip";
            context.Response.Headers.Append("Set-Cookie", "a=1");
            context.Response.Headers.Append("Set-Cookie", "b=2");
            context.Response.Headers["X-Cookie-Seen"] = context.Request.Headers.Cookie.Count.ToString(System.Globalization.CultureInfo.InvariantCulture);
            await context.Response.Body.WriteAsync(packed);
        }, "api.test");
        await using var terminating = await StartAsync(origin, Terminating.Inject("api.test", "X-Key", "1"));
        using var client = terminating.Client(terminating.Listen("api.test"));
        for (var i = 0; i < 2; i++)
        {
            using var answer = await client.GetAsync("https://api.test/");
            Assert.Equal(HttpStatusCode.Redirect, answer.StatusCode);
            Assert.Equal("https://elsewhere.test/", answer.Headers.Location!.ToString());
            Assert.False(answer.Headers.Contains("Alt-Svc"));
            Assert.Equal(["a=1", "b=2"], answer.Headers.GetValues("Set-Cookie"));
            Assert.Equal("0", answer.Headers.GetValues("X-Cookie-Seen").Single());
            Assert.Equal(packed, await answer.Content.ReadAsByteArrayAsync());
        }
    }

    [Fact]
    public async Task NothingIsAddedToARequest_ButWhatThePolicySays()
    {
        await using var origin = await Origin.TlsAsync(Origin.EchoAsync, "api.test");
        await using var terminating = await StartAsync(origin, Terminating.Inject("api.test", "X-Key", "1"));
        await using var client = await RawClient.TlsAsync(terminating, terminating.Listen("api.test"), "api.test");
        await client.SendAsync("GET /x HTTP/1.1\r\nHost: API.test:443\r\nX-A: \x00e9\r\n\r\n");
        var echo = (await client.AnswerAsync()).Split("\r\n\r\n", 2)[1];
        Assert.Equal(["GET /x HTTP/1.1", "host: api.test", "x-a: \x00e9", "x-key: 1"], echo.Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal));
    }

    private static async Task<Terminating> StartAsync(Origin origin, Policy policy, params string[] names)
    {
        var terminating = await Terminating.StartAsync();
        foreach (var name in names.DefaultIfEmpty("api.test")) terminating.Dialer.Map(name, origin.Port);
        terminating.Apply(policy);
        return terminating;
    }
}
