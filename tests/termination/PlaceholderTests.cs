using System.Net;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Text;
using Corral.Egress.Flows;
using Corral.Egress.V1;
using Corral.Tests.Support;

namespace Corral.Termination.Tests;

/// <summary>Texts inside the sandbox that stand for secrets.</summary>
public sealed class PlaceholderTests
{
    private const string Own = "corral-secret-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1";
    private const string Others = "corral-secret-bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb2";

    [Fact]
    public async Task Placeholder_InHeadersOfItsOwnHost_IsReplacedWhereverItStands()
    {
        await using var origin = await Origin.TlsAsync(Origin.EchoAsync, "api.test");
        await using var terminating = await StartAsync(origin.Port);
        using var client = terminating.Client(terminating.Listen("api.test"));
        using var request = new HttpRequestMessage(HttpMethod.Get, "https://api.test/");
        request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + Own);
        request.Headers.TryAddWithoutValidation("X-Twice", $"<{Own}{Own}>");
        request.Headers.TryAddWithoutValidation("X-Near", "corral-secret-corral-secret-" + Own);
        var echo = await EchoAsync(client, request);
        Assert.Contains($"authorization: Bearer {Terminating.Secret}\n", echo, StringComparison.Ordinal);
        Assert.Contains($"x-twice: <{Terminating.Secret}{Terminating.Secret}>\n", echo, StringComparison.Ordinal);
        Assert.Contains($"x-near: corral-secret-corral-secret-{Terminating.Secret}\n", echo, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Placeholder_InBasicAuthorization_IsReplacedInsideTheEncoding()
    {
        await using var origin = await Origin.TlsAsync(Origin.EchoAsync, "api.test");
        await using var terminating = await StartAsync(origin.Port);
        using var client = terminating.Client(terminating.Listen("api.test"));
        using var request = new HttpRequestMessage(HttpMethod.Get, "https://api.test/");
        request.Headers.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes("user:" + Own)));
        var expected = Convert.ToBase64String(Encoding.UTF8.GetBytes("user:" + Terminating.Secret));
        Assert.Contains($"authorization: Basic {expected}\n", await EchoAsync(client, request), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Basic !!!not-base64!!!")]
    [InlineData("Basic ")]
    [InlineData("Basic dXNlcjpwYXNz")]
    [InlineData("corral-secret-")]
    [InlineData(Others)]
    [InlineData("corral-secret-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA1")]
    public async Task WhatIsNoPlaceholderOfThisHost_PassesUnchanged(string value)
    {
        await using var origin = await Origin.TlsAsync(Origin.EchoAsync, "api.test");
        await using var terminating = await StartAsync(origin.Port);
        using var client = terminating.Client(terminating.Listen("api.test"));
        using var request = new HttpRequestMessage(HttpMethod.Get, "https://api.test/");
        request.Headers.TryAddWithoutValidation("Authorization", value);
        Assert.Contains($"authorization: {value.TrimEnd()}", await EchoAsync(client, request), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Placeholder_InTargetOrBody_IsInert()
    {
        await using var origin = await Origin.TlsAsync(Origin.EchoAsync, "api.test");
        await using var terminating = await StartAsync(origin.Port);
        using var client = terminating.Client(terminating.Listen("api.test"));
        using var request = new HttpRequestMessage(HttpMethod.Post, $"https://api.test/?key={Own}") { Content = new StringContent(Own) };
        var echo = await EchoAsync(client, request);
        Assert.DoesNotContain(Terminating.Secret, echo, StringComparison.Ordinal);
        Assert.StartsWith($"POST /?key={Own} ", echo, StringComparison.Ordinal);
        Assert.EndsWith("\n\n" + Own, echo, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Placeholder_OverPlainHttp_IsInert()
    {
        await using var origin = await Origin.PlainAsync(Origin.EchoAsync);
        await using var terminating = await StartAsync(origin.Port);
        using var client = terminating.Client(terminating.Listen("api.test", FlowProtocol.Http, 80));
        using var request = new HttpRequestMessage(HttpMethod.Get, "http://api.test/");
        request.Headers.TryAddWithoutValidation("X-Key", Own);
        Assert.Contains($"x-key: {Own}\n", await EchoAsync(client, request), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Placeholder_OfARevokedSecret_RefusesTheRequestsThatContainIt_AndNoOthers()
    {
        await using var origin = await Origin.TlsAsync(Origin.EchoAsync, "api.test");
        await using var terminating = await StartAsync(origin.Port);
        var policy = Terminating.Allow("api.test");
        policy.Placeholders.Add(new Placeholder { Text = Own, Domain = "api.test", Secret = new SecretUse { Name = "KEY" } });
        terminating.Apply(policy);
        using var client = terminating.Client(terminating.Listen("api.test"));
        foreach (var value in new[] { "Bearer " + Own, "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes("user:" + Own)) })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "https://api.test/");
            request.Headers.TryAddWithoutValidation("Authorization", value);
            using var answer = await client.SendAsync(request);
            Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
            Assert.Contains(Refusals.SecretRevoked, await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }

        using var other = new HttpRequestMessage(HttpMethod.Get, "https://api.test/");
        Assert.StartsWith("GET / ", await EchoAsync(client, other), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Placeholder_OfASecretThatIsReplacedWhileItsRequestWaitsForAConnection_IsNotSent_AndOtherRequestsAre()
    {
        await using var origin = await Origin.TlsAsync(Origin.EchoAsync, "api.test");
        await using var terminating = await StartAsync(origin.Port);
        var open = new TaskCompletionSource();
        terminating.Dialer.Open = open.Task;
        using var client = terminating.Client(terminating.Listen("api.test"));
        using var request = new HttpRequestMessage(HttpMethod.Get, "https://api.test/");
        request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + Own);
        using var other = new HttpRequestMessage(HttpMethod.Get, "https://api.test/");
        var (asked, echo) = (client.SendAsync(request), EchoAsync(client, other));
        await Eventually.Async("their server is dialled", () => terminating.Dialer.Dialled == 2);
        var policy = Terminating.Allow("api.test");
        policy.Placeholders.Add(new Placeholder { Text = Own, Domain = "api.test", Value = "another", Secret = new SecretUse { Name = "KEY", Version = 2 } });
        terminating.Apply(policy);
        open.SetResult();
        using var answer = await asked;
        Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
        Assert.Equal(Refusals.PolicyChanged, answer.Headers.GetValues("x-corral-egress").Single());
        Assert.StartsWith("GET / ", await echo, StringComparison.Ordinal);
    }

    private static async Task<string> EchoAsync(HttpClient client, HttpRequestMessage request)
    {
        using var answer = await client.SendAsync(request);
        return await answer.Content.ReadAsStringAsync();
    }

    private static async Task<Terminating> StartAsync(int port)
    {
        var terminating = await Terminating.StartAsync();
        terminating.Dialer.Map("api.test", port);
        var policy = Terminating.Allow("api.test", "other.test");
        policy.Placeholders.Add(new Placeholder { Text = Own, Domain = "api.test", Value = Terminating.Secret, Secret = new SecretUse { Name = "KEY", Version = 1 } });
        policy.Placeholders.Add(new Placeholder { Text = Others, Domain = "other.test", Value = Terminating.Secret, Secret = new SecretUse { Name = "OTHER", Version = 1 } });
        terminating.Apply(policy);
        return terminating;
    }
}
