using System.Diagnostics;
using System.Net;
using System.Net.Http;
using System.Security.Cryptography.X509Certificates;
using Corral.Egress.Flows;

namespace Corral.Termination.Tests;

/// <summary>Servers that are not what they should be.</summary>
public sealed class FailureTests
{
    private const string Request = "GET / HTTP/1.1\r\nHost: api.test\r\n\r\n";

    public static TheoryData<string> BadCertificates => ["self-signed", "expired", "other-name"];

    [Theory]
    [MemberData(nameof(BadCertificates))]
    public async Task BadCertificate_GetsNoRequest(string kind)
    {
        var requests = 0;
        using var certificate = kind switch
        {
            "self-signed" => TestAuthority.SelfSigned("api.test"),
            "expired" => TestAuthority.Shared.Sign(expired: true, "api.test"),
            _ => TestAuthority.Shared.Sign(expired: false, "other.test"),
        };
        await using var origin = await Origin.TlsAsync(certificate, context =>
        {
            Interlocked.Increment(ref requests);
            return Origin.EchoAsync(context);
        });
        await using var terminating = await StartAsync(origin.Port);
        foreach (var version in new[] { HttpVersion.Version11, HttpVersion.Version20 })
        {
            using var client = terminating.Client(terminating.Listen("api.test"), version);
            using var answer = await client.GetAsync("https://api.test/");
            Assert.Equal(HttpStatusCode.BadGateway, answer.StatusCode);
            Assert.Equal(Refusals.CertificateInvalid, answer.Headers.GetValues("x-corral-egress").Single());
            Assert.DoesNotContain(Terminating.Secret, await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }

        Assert.Equal(0, requests);
    }

    [Theory]
    [InlineData(Refusals.AddressDenied, HttpStatusCode.Forbidden)]
    [InlineData(Refusals.NameNotFound, HttpStatusCode.BadGateway)]
    [InlineData(Refusals.ConnectTimeout, HttpStatusCode.GatewayTimeout)]
    [InlineData(Refusals.ProxyFailed, HttpStatusCode.BadGateway)]
    public async Task RefusedDial_IsToldWithItsReason(string reason, HttpStatusCode status)
    {
        await using var terminating = await StartAsync(1);
        terminating.Dialer.Refuse("api.test", reason);
        using var client = terminating.Client(terminating.Listen("api.test"));
        using var answer = await client.GetAsync("https://api.test/");
        Assert.Equal(status, answer.StatusCode);
        Assert.Equal(reason, answer.Headers.GetValues("x-corral-egress").Single());
    }

    [Fact]
    public async Task ServerThatIsNotThere_IsABadGateway()
    {
        await using var terminating = await StartAsync(1);
        using var client = terminating.Client(terminating.Listen("api.test"));
        using var answer = await client.GetAsync("https://api.test/");
        Assert.Equal(HttpStatusCode.BadGateway, answer.StatusCode);
        Assert.Equal(Refusals.ConnectFailed, answer.Headers.GetValues("x-corral-egress").Single());
    }

    [Fact]
    public async Task ServerThatStalls_IsGivenUp()
    {
        await using var origin = await ScriptedOrigin.StartAsync("");
        await using var terminating = await StartAsync(origin.Port, TimeSpan.FromSeconds(1));
        using var client = terminating.Client(terminating.Listen("api.test"));
        var watch = Stopwatch.StartNew();
        using var answer = await client.GetAsync("https://api.test/");
        Assert.Equal(HttpStatusCode.GatewayTimeout, answer.StatusCode);
        Assert.Equal(Refusals.UpstreamTimeout, answer.Headers.GetValues("x-corral-egress").Single());
        Assert.InRange(watch.Elapsed.TotalSeconds, 0.9, 30);
    }

    [Theory]
    [InlineData("garbage\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nhello")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\n")]
    [InlineData("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")]
    [InlineData("HTTP/1.1 2")]
    public async Task AnswerThatIsNone_IsABadGateway(string answer)
    {
        await using var origin = await ScriptedOrigin.StartAsync(answer, close: true);
        await using var terminating = await StartAsync(origin.Port, TimeSpan.FromSeconds(10));
        await using var client = await RawClient.TlsAsync(terminating, terminating.Listen("api.test"), "api.test");
        await client.SendAsync(Request);
        Assert.StartsWith("HTTP/1.1 502 ", await client.AnswerAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\nzz\r\n")]
    public async Task AnswerThatEndsEarly_IsNotTakenForAWholeOne(string answer)
    {
        await using var origin = await ScriptedOrigin.StartAsync(answer, close: true);
        await using var terminating = await StartAsync(origin.Port);
        foreach (var version in new[] { HttpVersion.Version11, HttpVersion.Version20 })
        {
            using var client = terminating.Client(terminating.Listen("api.test"), version);
            await Assert.ThrowsAnyAsync<HttpRequestException>(() => client.GetStringAsync("https://api.test/"));
        }
    }

    [Fact]
    public async Task BytesAfterAnAnswer_AreNobodysAnswer()
    {
        await using var origin = await ScriptedOrigin.StartAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npoisoned");
        await using var terminating = await StartAsync(origin.Port);
        await using var client = await RawClient.TlsAsync(terminating, terminating.Listen("api.test"), "api.test");
        for (var i = 0; i < 3; i++)
        {
            await client.SendAsync(Request);
            var answer = await client.AnswerAsync();
            Assert.EndsWith("\r\n\r\nok", answer, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task HugeAnswerHeaders_AreABadGateway()
    {
        await using var origin = await ScriptedOrigin.StartAsync("HTTP/1.1 200 OK\r\nX-Big: " + new string('a', 1 << 20) + "\r\nContent-Length: 0\r\n\r\n");
        await using var terminating = await StartAsync(origin.Port);
        await using var client = await RawClient.TlsAsync(terminating, terminating.Listen("api.test"), "api.test");
        await client.SendAsync(Request);
        Assert.StartsWith("HTTP/1.1 502 ", await client.AnswerAsync(), StringComparison.Ordinal);
    }

    private static async Task<Terminating> StartAsync(int port, TimeSpan? silence = null)
    {
        var terminating = await Terminating.StartAsync(options => options.RequestSilence = silence ?? options.RequestSilence);
        terminating.Dialer.Map("api.test", port);
        terminating.Apply(Terminating.Inject("api.test", "Authorization", Terminating.Secret));
        return terminating;
    }
}
