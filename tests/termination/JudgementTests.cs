using System.Net;
using System.Net.Http;
using System.Net.Security;
using System.Security.Authentication;
using Corral.Egress.Flows;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Corral.Termination.Tests;

/// <summary>Every request is judged by itself.</summary>
public sealed class JudgementTests
{
    private const string Good = "GET /good HTTP/1.1\r\nHost: api.test\r\n\r\n";

    [Theory]
    [InlineData("Host: evil.test", 421)]
    [InlineData("Host: api.test.evil.test", 421)]
    [InlineData("Host: xapi.test", 421)]
    [InlineData("Host: other.test", 421)]
    [InlineData("Host: api.test:8443", 421)]
    [InlineData("Host: api.test:80", 421)]
    [InlineData("Host: 198.18.0.1", 400)]
    [InlineData("Host: [::1]", 400)]
    [InlineData("Host: api.test:abc", 400)]
    [InlineData("Host: api.test\r\nHost: evil.test", 400)]
    [InlineData("Host: evil.test\r\nHost: api.test", 400)]
    [InlineData("Host: api.test@evil.test", 400)]
    [InlineData("Host: api.test, evil.test", 400)]
    [InlineData("Host:", 400)]
    [InlineData("X-No-Host: api.test", 400)]
    [InlineData("Host: API.TEST.", 200)]
    [InlineData("Host: api.test:443", 200)]
    public async Task Host_MustBeTheNameOfTheConnection(string headers, int status)
    {
        await using var rig = await Rig.StartAsync();
        await using var client = await rig.TlsAsync();
        await client.SendAsync($"GET / HTTP/1.1\r\n{headers}\r\n\r\n");
        Assert.StartsWith($"HTTP/1.1 {status} ", await client.AnswerAsync(), StringComparison.Ordinal);
        Assert.Equal(status == 200 ? 1 : 0, rig.Seen.Count);
    }

    [Fact]
    public async Task SecondRequestOfAConnection_WithAnotherHost_IsRefused()
    {
        await using var rig = await Rig.StartAsync();
        await using var client = await rig.TlsAsync();
        await client.SendAsync(Good);
        Assert.StartsWith("HTTP/1.1 200 ", await client.AnswerAsync(), StringComparison.Ordinal);
        await client.SendAsync("GET /bad HTTP/1.1\r\nHost: evil.test\r\n\r\n");
        var refused = await client.AnswerAsync();
        Assert.StartsWith("HTTP/1.1 421 ", refused, StringComparison.Ordinal);
        Assert.Contains("x-corral-egress: HOST_MISMATCH", refused, StringComparison.OrdinalIgnoreCase);
        await client.SendAsync(Good);
        Assert.StartsWith("HTTP/1.1 200 ", await client.AnswerAsync(), StringComparison.Ordinal);
        Assert.Equal(["/good", "/good"], rig.Seen);
    }

    [Fact]
    public async Task PipelinedRequests_AreEachJudged()
    {
        await using var rig = await Rig.StartAsync();
        await using var client = await rig.TlsAsync();
        await client.SendAsync(Good + "GET /bad HTTP/1.1\r\nHost: evil.test\r\n\r\n" + Good);
        Assert.StartsWith("HTTP/1.1 200 ", await client.AnswerAsync(), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 421 ", await client.AnswerAsync(), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 200 ", await client.AnswerAsync(), StringComparison.Ordinal);
        Assert.Equal(["/good", "/good"], rig.Seen);
    }

    [Fact]
    public async Task StreamsOfOneConnection_AreEachJudgedByTheirAuthority()
    {
        await using var rig = await Rig.StartAsync();
        await using var client = await RawHttp2.ConnectAsync(rig.Terminating, rig.Port, "api.test");
        await client.RequestAsync(1, "api.test", "/api.test");
        await client.RequestAsync(3, "evil.test", "/evil.test");
        await client.RequestAsync(5, "other.test", "/other.test");
        var statuses = await client.StatusesAsync(3);
        Assert.Equal((200, 421, 421), (statuses[1], statuses[3], statuses[5]));
        Assert.Equal(["/api.test"], rig.Seen);
        Assert.Single(rig.Terminating.Flows);
    }

    [Theory]
    [InlineData("GET http://evil.test/ HTTP/1.1\r\nHost: evil.test\r\n\r\n", 421)]
    [InlineData("GET http://evil.test/ HTTP/1.1\r\nHost: api.test\r\n\r\n", 400)]
    [InlineData("GET https://api.test/x?y HTTP/1.1\r\nHost: api.test\r\n\r\n", 200)]
    [InlineData("OPTIONS * HTTP/1.1\r\nHost: api.test\r\n\r\n", 400)]
    [InlineData("CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test:443\r\n\r\n", 405)]
    [InlineData("CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n", 405)]
    [InlineData("TRACE / HTTP/1.1\r\nHost: api.test\r\n\r\n", 405)]
    public async Task OddTargetsAndMethods_AreRefused(string request, int status)
    {
        await using var rig = await Rig.StartAsync();
        await using var client = await rig.TlsAsync();
        await client.SendAsync(request);
        Assert.StartsWith($"HTTP/1.1 {status} ", await client.AnswerAsync(), StringComparison.Ordinal);
        Assert.Equal(status == 200 ? ["/x"] : [], rig.Seen);
    }

    [Fact]
    public async Task UpgradeToHttp2InPlainText_IsNotDone()
    {
        await using var rig = await Rig.StartAsync();
        await using var client = await rig.TlsAsync();
        await client.SendAsync("GET / HTTP/1.1\r\nHost: api.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 200 ", await client.AnswerAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Content-Length: 5\r\nTransfer-Encoding: chunked")]
    [InlineData("Transfer-Encoding: xchunked")]
    [InlineData("Transfer-Encoding: chunked, identity")]
    [InlineData("Transfer-Encoding : chunked")]
    [InlineData("Transfer-Encoding: chunked\r\nTransfer-Encoding: cow")]
    [InlineData("Content-Length: 5\r\nContent-Length: 60")]
    [InlineData("Content-Length: -1")]
    [InlineData("Content-Length: 0x10")]
    [InlineData("X-Fold: a\r\n Content-Length: 60")]
    [InlineData("X-Nul: \0")]
    public async Task SmuggledRequest_ReachesTheServerAsNoRequestOfItsOwn(string framing)
    {
        await using var rig = await Rig.StartAsync();
        await using var client = await rig.TlsAsync();
        await client.SendAsync($"POST /outer HTTP/1.1\r\nHost: api.test\r\n{framing}\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: evil.test\r\n\r\n");
        var all = await rig.DrainAsync(client);
        Assert.DoesNotContain("/smuggled", rig.Seen);
        Assert.All(rig.Hosts, host => Assert.Equal("api.test", host));
        Assert.DoesNotContain("200 OK", all.Contains("421", StringComparison.Ordinal) ? "" : all.Replace("HTTP/1.1 200 OK", "", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ServerNameOfTheHandshake_ThatIsNotTheConnections_GetsNoCertificate()
    {
        await using var rig = await Rig.StartAsync();
        await Assert.ThrowsAnyAsync<Exception>(() => RawClient.TlsAsync(rig.Terminating, rig.Port, "evil.test"));
        Assert.Equal(0, rig.Terminating.Dialer.Dialled);
    }

    [Fact]
    public async Task Secret_OverPlainHttp_IsRefused()
    {
        await using var origin = await Origin.PlainAsync(Origin.EchoAsync);
        await using var terminating = await Terminating.StartAsync();
        terminating.Dialer.Map("api.test", origin.Port);
        terminating.Apply(Terminating.Inject("api.test", "Authorization", Terminating.Secret));
        await using var client = await RawClient.PlainAsync(terminating.Listen("api.test", FlowProtocol.Http, 80));
        await client.SendAsync(Good);
        var answer = await client.AnswerAsync();
        Assert.StartsWith("HTTP/1.1 403 ", answer, StringComparison.Ordinal);
        Assert.Contains("SECRET_NEEDS_TLS", answer, StringComparison.Ordinal);
        Assert.Equal(0, terminating.Dialer.Dialled);
    }

    [Theory]
    [InlineData(80, "api.test", 200)]
    [InlineData(8080, "api.test:8080", 200)]
    [InlineData(8080, "api.test", 421)]
    [InlineData(80, "evil.test", 421)]
    public async Task PlainHttp_IsJudgedAlike(int port, string host, int status)
    {
        await using var origin = await Origin.PlainAsync(Origin.EchoAsync);
        await using var terminating = await Terminating.StartAsync();
        terminating.Dialer.Map("api.test", origin.Port);
        terminating.Apply(Terminating.Allow("api.test"));
        await using var client = await RawClient.PlainAsync(terminating.Listen("api.test", FlowProtocol.Http, port));
        await client.SendAsync($"GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n");
        Assert.StartsWith($"HTTP/1.1 {status} ", await client.AnswerAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Http2InPlainText_WithPriorKnowledge_IsCarriedAndJudged()
    {
        await using var origin = await Origin.PlainAsync(Origin.EchoAsync, HttpProtocols.Http2);
        await using var terminating = await Terminating.StartAsync();
        terminating.Dialer.Map("api.test", origin.Port);
        terminating.Apply(Terminating.Allow("api.test"));
        using var client = terminating.Client(terminating.Listen("api.test", FlowProtocol.Http, 80), HttpVersion.Version20);
        Assert.StartsWith("GET /x HTTP/2\n", await client.GetStringAsync("http://api.test/x"), StringComparison.Ordinal);
        await using var raw = await RawHttp2.ConnectAsync(await RawClient.PlainAsync(terminating.Listen("api.test", FlowProtocol.Http, 80)));
        await raw.RequestAsync(1, "evil.test", "/y", "http");
        Assert.Equal(421, (await raw.StatusesAsync(1))[1]);
    }

    /// <summary>A server that remembers, behind a terminator with a transform for its name.</summary>
    private sealed class Rig(Terminating terminating, Origin origin, int port, List<string> seen, List<string> hosts) : IAsyncDisposable
    {
        public Terminating Terminating => terminating;

        public int Port => port;

        public List<string> Seen => seen;

        public List<string> Hosts => hosts;

        public static async Task<Rig> StartAsync()
        {
            var (seen, hosts) = (new List<string>(), new List<string>());
            var origin = await Origin.TlsAsync(context =>
            {
                lock (seen)
                {
                    seen.Add(context.Request.Path);
                    hosts.Add(context.Request.Host.Value!);
                }

                return Origin.EchoAsync(context);
            }, "api.test", "other.test");
            var terminating = await Terminating.StartAsync();
            terminating.Dialer.Map("api.test", origin.Port);
            terminating.Dialer.Map("other.test", origin.Port);
            var policy = Terminating.Inject("api.test", "X-Key", "1");
            policy.AllowDomains.Add("other.test");
            terminating.Apply(policy);
            return new Rig(terminating, origin, terminating.Listen("api.test"), seen, hosts);
        }

        public Task<RawClient> TlsAsync() => RawClient.TlsAsync(terminating, port, "api.test", SslApplicationProtocol.Http11);

        /// <summary>All answers: asks for the connection to be closed after what was sent.</summary>
        public async Task<string> DrainAsync(RawClient client)
        {
            await client.SendAsync("GET /last HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n");
            return await client.RestAsync();
        }

        public async ValueTask DisposeAsync()
        {
            await terminating.DisposeAsync();
            await origin.DisposeAsync();
        }
    }
}
