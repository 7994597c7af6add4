using System.Net;
using System.Text;
using Corral.Egress.Dialing;
using Corral.Egress.Flows;
using Corral.Egress.V1;

namespace Corral.Termination.Tests;

/// <summary>Proxies of a sandbox's own.</summary>
public sealed class ProxyTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    public static TheoryData<string> Schemes => ["http", "https", "socks5"];

    [Theory]
    [MemberData(nameof(Schemes))]
    public async Task Requests_LeaveThroughTheProxy_AndTheNameGoesToItUnresolved(string scheme)
    {
        await using var origin = await Origin.TlsAsync(Origin.EchoAsync, "api.test");
        await using var proxy = TestProxy.Start(scheme, "the user", "p@ss:w/rd");
        proxy.Map("api.test:443", origin.Port);
        await using var terminating = await StartAsync(proxy, "the%20user:p%40ss%3Aw%2Frd");
        foreach (var version in new[] { HttpVersion.Version11, HttpVersion.Version20 })
        {
            using var client = terminating.Client(terminating.Listen("api.test"), version);
            using var answer = await client.GetAsync("https://api.test/");
            Assert.Contains($"authorization: {Terminating.Secret}\n", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }

        Assert.All(proxy.Asked, target => Assert.Equal("api.test:443", target));
    }

    [Theory]
    [MemberData(nameof(Schemes))]
    public async Task WrongPassword_IsAnError_AndNothingGoesRoundTheProxy(string scheme)
    {
        await using var origin = await Origin.TlsAsync(Origin.EchoAsync, "api.test");
        await using var proxy = TestProxy.Start(scheme, "user", "right");
        foreach (var credentials in new[] { "user:wrong", "" })
        {
            await using var terminating = await StartAsync(proxy, credentials);
            // There would be a direct way.
            terminating.Dialer.Map("api.test", origin.Port);
            await AssertRefusedAsync(terminating, Refusals.ProxyAuthentication, HttpStatusCode.BadGateway);
        }
    }

    [Theory]
    [MemberData(nameof(Schemes))]
    public async Task DeadProxy_IsAnError_AndNothingGoesRoundIt(string scheme)
    {
        await using var origin = await Origin.TlsAsync(Origin.EchoAsync, "api.test");
        var proxy = TestProxy.Start(scheme);
        await using var terminating = await StartAsync(proxy);
        terminating.Dialer.Map("api.test", origin.Port);
        await proxy.DisposeAsync();
        await AssertRefusedAsync(terminating, Refusals.ProxyFailed, HttpStatusCode.BadGateway);
    }

    [Theory]
    [MemberData(nameof(Schemes))]
    public async Task ProxyAtAnAddressThatIsRefused_IsRefused(string scheme)
    {
        await using var proxy = TestProxy.Start(scheme);
        await using var terminating = await StartAsync(proxy);
        terminating.Dialer.Refuse("proxy.test", Refusals.AddressDenied);
        await AssertRefusedAsync(terminating, Refusals.ProxyDenied, HttpStatusCode.Forbidden);
        Assert.Empty(proxy.Asked);
    }

    [Theory]
    [InlineData("http", "HTTP/1.1 403 Forbidden\r\n\r\n", Refusals.ProxyRefused)]
    [InlineData("http", "HTTP/1.1 302 Found\r\nLocation: http://x/\r\n\r\n", Refusals.ProxyRefused)]
    [InlineData("http", "SSH-2.0-OpenSSH\r\n\r\n", Refusals.ProxyFailed)]
    [InlineData("http", "HTTP/1.1 2OO ok\r\n\r\n", Refusals.ProxyFailed)]
    [InlineData("http", "HTTP/1.1 200", Refusals.ProxyFailed)]
    [InlineData("https", "HTTP/1.0 502 Bad\r\n\r\n", Refusals.ProxyRefused)]
    [InlineData("socks5", "no", Refusals.ProxyRefused)]
    public async Task ProxyThatGivesNoTunnel_IsAnError(string scheme, string answer, string reason)
    {
        await using var proxy = TestProxy.Start(scheme);
        proxy.Instead = answer;
        await using var terminating = await StartAsync(proxy);
        Assert.Equal(reason, (await DialAsync(terminating, DialTarget.To("api.test", 443))).Refusal);
    }

    [Theory]
    [MemberData(nameof(Schemes))]
    public async Task FirstBytesOfTheTunnel_AreNotEaten_WhenTheyComeWithTheAnswer(string scheme)
    {
        await using var proxy = TestProxy.Start(scheme);
        proxy.Banner = "SSH-2.0-banner";
        await using var terminating = await StartAsync(proxy);
        var outcome = await DialAsync(terminating, DialTarget.To("api.test", 22));
        Assert.True(outcome.Succeeded);
        using var upstream = outcome.Upstream;
        Assert.Equal(scheme == "https", upstream.Wrapped is not null);
        var bytes = new byte[proxy.Banner.Length];
        await upstream.OpenStream().ReadExactlyAsync(bytes).AsTask().WaitAsync(Patience);
        Assert.Equal(proxy.Banner, Encoding.Latin1.GetString(bytes));
    }

    [Theory]
    [MemberData(nameof(Schemes))]
    public async Task AddressWithoutAName_GoesToTheProxyAsAnAddress(string scheme)
    {
        await using var proxy = TestProxy.Start(scheme);
        await using var terminating = await StartAsync(proxy);
        var outcome = await DialAsync(terminating, DialTarget.To(IPEndPoint.Parse("198.51.100.7:5432")));
        outcome.Upstream?.Dispose();
        Assert.Equal(["198.51.100.7:5432"], proxy.Asked);
    }

    [Fact]
    public async Task ProxyWithABadCertificate_GetsNoPassword()
    {
        // It speaks TLS under another name.
        await using var impostor = await Origin.TlsAsync(Origin.EchoAsync, "other.test");
        await using var terminating = await Terminating.StartAsync();
        terminating.Dialer.Map("proxy.test", impostor.Port);
        terminating.Apply(Policy($"https://user:{Terminating.Secret}@proxy.test:{impostor.Port}"));
        Assert.Equal(Refusals.ProxyFailed, (await DialAsync(terminating, DialTarget.To("api.test", 443))).Refusal);
    }

    [Fact]
    public async Task AnotherProxy_IsUsedFromTheNextRequestOn()
    {
        await using var origin = await Origin.TlsAsync(Origin.EchoAsync, "api.test");
        await using var first = TestProxy.Start("http");
        await using var second = TestProxy.Start("socks5");
        first.Map("api.test:443", origin.Port);
        second.Map("api.test:443", origin.Port);
        await using var terminating = await StartAsync(first);
        using var client = terminating.Client(terminating.Listen("api.test"));
        await client.GetStringAsync("https://api.test/");
        terminating.Dialer.Map("proxy.test", second.Port);
        terminating.Apply(Policy(second.Address()));
        await client.GetStringAsync("https://api.test/");
        Assert.Single(first.Asked);
        Assert.Single(second.Asked);
    }

    private static async Task AssertRefusedAsync(Terminating terminating, string reason, HttpStatusCode status)
    {
        using var client = terminating.Client(terminating.Listen("api.test"));
        using var answer = await client.GetAsync("https://api.test/");
        Assert.Equal(status, answer.StatusCode);
        Assert.Equal(reason, answer.Headers.GetValues("x-corral-egress").Single());
    }

    private static Task<DialOutcome> DialAsync(Terminating terminating, DialTarget target) =>
        terminating.Upstreams.ConnectAsync(terminating.Sandbox, target, CancellationToken.None).AsTask().WaitAsync(Patience);

    private static async Task<Terminating> StartAsync(TestProxy proxy, string credentials = "")
    {
        var terminating = await Terminating.StartAsync();
        terminating.Dialer.Map("proxy.test", proxy.Port);
        terminating.Apply(Policy(proxy.Address(credentials)));
        return terminating;
    }

    private static Policy Policy(string proxy)
    {
        var policy = Terminating.Inject("api.test", "Authorization", Terminating.Secret);
        policy.UpstreamProxy = proxy;
        return policy;
    }
}
