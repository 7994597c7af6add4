using System.Diagnostics;
using System.Net;
using System.Net.Http;
using System.Net.WebSockets;
using System.Text;
using Corral.Hosting;
using Grpc.Health.V1;
using Grpc.Net.Client;
using Grpc.Reflection.V1;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Corral.Termination.Tests;

/// <summary>What passes besides plain requests and answers.</summary>
public sealed class ProtocolTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public static TheoryData<string> Versions => ["1.1", "2.0"];

    [Theory]
    [InlineData("1.1", HttpProtocols.Http1AndHttp2)]
    [InlineData("2.0", HttpProtocols.Http1AndHttp2)]
    [InlineData("2.0", HttpProtocols.Http1)]
    public async Task WebSocket_CarriesBothWays_WithTheInjectedHeader(string version, HttpProtocols spoken)
    {
        await using var origin = await Origin.TlsAsync(TestAuthority.Shared.Sign(false, "api.test"), async context =>
        {
            using var accepted = await context.WebSockets.AcceptWebSocketAsync();
            var key = Encoding.UTF8.GetBytes(context.Request.Headers["X-Key"].ToString());
            await accepted.SendAsync(key, WebSocketMessageType.Text, true, CancellationToken.None);
            var buffer = new byte[64 * 1024];
            while (await accepted.ReceiveAsync(buffer, CancellationToken.None) is { MessageType: not WebSocketMessageType.Close } piece)
            {
                await accepted.SendAsync(buffer.AsMemory(0, piece.Count), piece.MessageType, piece.EndOfMessage, CancellationToken.None);
            }

            await accepted.CloseAsync(WebSocketCloseStatus.NormalClosure, "bye", CancellationToken.None);
        }, spoken);
        await using var terminating = await StartAsync(origin.Port);
        using var invoker = new HttpMessageInvoker(terminating.Handler(terminating.Listen("api.test")));
        using var socket = new ClientWebSocket();
        socket.Options.HttpVersion = Version.Parse(version);
        socket.Options.HttpVersionPolicy = HttpVersionPolicy.RequestVersionExact;
        await socket.ConnectAsync(new Uri("wss://api.test/"), invoker, CancellationToken.None).WaitAsync(Patience);
        Assert.Equal(Terminating.Secret, Encoding.UTF8.GetString(await ReceiveAsync(socket, Terminating.Secret.Length)));
        var message = new byte[300_000];
        Random.Shared.NextBytes(message);
        await socket.SendAsync(message, WebSocketMessageType.Binary, true, CancellationToken.None);
        Assert.Equal(message, await ReceiveAsync(socket, message.Length));
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "bye", CancellationToken.None).WaitAsync(Patience);
        Assert.Equal("bye", socket.CloseStatusDescription);
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task Events_ArriveAsTheyAreSent_AndTheirHeadersBeforeTheFirst(string version)
    {
        var go = new SemaphoreSlim(0);
        await using var origin = await Origin.TlsAsync(async context =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.StartAsync();
            await context.Response.Body.FlushAsync();
            for (var i = 0; i < 3; i++)
            {
                await go.WaitAsync(context.RequestAborted);
                await context.Response.WriteAsync($"data: {i}\n\n");
                await context.Response.Body.FlushAsync();
            }
        }, "api.test");
        await using var terminating = await StartAsync(origin.Port);
        using var client = terminating.Client(terminating.Listen("api.test"), Version.Parse(version));
        using var answer = await client.GetAsync("https://api.test/", HttpCompletionOption.ResponseHeadersRead).WaitAsync(Patience);
        using var events = new StreamReader(await answer.Content.ReadAsStreamAsync());
        for (var i = 0; i < 3; i++)
        {
            go.Release();
            Assert.Equal($"data: {i}", await events.ReadLineAsync().WaitAsync(Patience));
            Assert.Equal("", await events.ReadLineAsync().WaitAsync(Patience));
        }
    }

    [Fact]
    public async Task Grpc_OneCall_AndAStreamInBothDirections()
    {
        await using var origin = await GrpcOriginAsync();
        await using var terminating = await StartAsync(new Uri(origin.Urls.First()).Port);
        using var channel = GrpcChannel.ForAddress("https://api.test", new GrpcChannelOptions { HttpHandler = terminating.Handler(terminating.Listen("api.test")) });
        var health = new Health.HealthClient(channel);
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, (await health.CheckAsync(new HealthCheckRequest())).Status);
        var failure = await Assert.ThrowsAsync<global::Grpc.Core.RpcException>(() => health.CheckAsync(new HealthCheckRequest { Service = "no.such.Service" }).ResponseAsync);
        Assert.Equal(global::Grpc.Core.StatusCode.NotFound, failure.StatusCode);
        using var call = new ServerReflection.ServerReflectionClient(channel).ServerReflectionInfo();
        for (var i = 0; i < 3; i++)
        {
            await call.RequestStream.WriteAsync(new ServerReflectionRequest { ListServices = "" });
            Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Patience));
            Assert.Contains(call.ResponseStream.Current.ListServicesResponse.Service, service => service.Name == "grpc.health.v1.Health");
        }

        await call.RequestStream.CompleteAsync();
        Assert.False(await call.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Patience));
    }

    [Fact]
    public async Task Trailers_OfAnAnswer_ArriveInHttp2()
    {
        await using var origin = await Origin.TlsAsync(async context =>
        {
            context.Response.DeclareTrailer("X-Sum");
            await context.Response.WriteAsync("body");
            context.Response.AppendTrailer("X-Sum", "42");
        }, "api.test");
        await using var terminating = await StartAsync(origin.Port);
        using var client = terminating.Client(terminating.Listen("api.test"), HttpVersion.Version20);
        using var answer = await client.GetAsync("https://api.test/");
        Assert.Equal("body", await answer.Content.ReadAsStringAsync());
        Assert.Equal("42", answer.TrailingHeaders.GetValues("X-Sum").Single());
    }

    [Fact]
    public async Task Trailers_OfAChunkedAnswer_DoNotHurtIt()
    {
        await using var origin = await ScriptedOrigin.StartAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n4\r\nbody\r\n0\r\nX-Sum: 42\r\n\r\n");
        await using var terminating = await StartAsync(origin.Port);
        using var client = terminating.Client(terminating.Listen("api.test"));
        for (var i = 0; i < 2; i++) Assert.Equal("body", await client.GetStringAsync("https://api.test/"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Expect100Continue_IsTheServersToAnswer(bool wanted)
    {
        await using var origin = await Origin.TlsAsync(async context =>
        {
            if (!wanted)
            {
                context.Response.StatusCode = StatusCodes.Status417ExpectationFailed;
                context.Response.ContentLength = 0;
                return;
            }

            await Origin.EchoAsync(context);
        }, "api.test");
        await using var terminating = await StartAsync(origin.Port);
        await using var client = await RawClient.TlsAsync(terminating, terminating.Listen("api.test"), "api.test");
        // Not a small one: a kilobyte is sent to a server even when it does not want it.
        await client.SendAsync("POST / HTTP/1.1\r\nHost: api.test\r\nExpect: 100-continue\r\nContent-Length: 4000\r\n\r\n");
        var first = await client.AnswerAsync();
        if (!wanted)
        {
            Assert.StartsWith("HTTP/1.1 417 ", first, StringComparison.Ordinal);
            return;
        }

        Assert.StartsWith("HTTP/1.1 100 ", first, StringComparison.Ordinal);
        var body = new string('b', 4000);
        await client.SendAsync(body);
        var answer = await client.AnswerAsync();
        Assert.StartsWith("HTTP/1.1 200 ", answer, StringComparison.Ordinal);
        Assert.EndsWith("\n\n" + body, answer, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task LargeBodies_PassBothWaysInConstantMemory(string version)
    {
        const long Length = 256L << 20;
        await using var origin = await Origin.TlsAsync(async context =>
        {
            var (buffer, total) = (new byte[64 * 1024], 0L);
            while (await context.Request.Body.ReadAsync(buffer) is var read and > 0) total += read;
            context.Response.Headers["X-Received"] = total.ToString(System.Globalization.CultureInfo.InvariantCulture);
            for (var sent = 0L; sent < Length; sent += buffer.Length) await context.Response.Body.WriteAsync(buffer);
        }, "api.test");
        await using var terminating = await StartAsync(origin.Port);
        using var client = terminating.Client(terminating.Listen("api.test"), Version.Parse(version));
        client.Timeout = TimeSpan.FromMinutes(5);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        using var request = new HttpRequestMessage(HttpMethod.Post, "https://api.test/") { Content = new ZeroContent(Length), Version = Version.Parse(version), VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal(Length, long.Parse(answer.Headers.GetValues("X-Received").Single(), null));
        var (received, most, piece, body) = (0L, 0L, new byte[64 * 1024], await answer.Content.ReadAsStreamAsync());
        while (await body.ReadAsync(piece) is var read and > 0)
        {
            received += read;
            if (received % (64 << 20) < read) most = Math.Max(most, GC.GetTotalMemory(forceFullCollection: true) - before);
        }

        Assert.Equal(Length, received);
        Assert.InRange(most, long.MinValue, 64 << 20);
        Assert.True(terminating.Flows.Keys.Sum(flow => flow.SentBytes) > Length && terminating.Flows.Keys.Sum(flow => flow.ReceivedBytes) > Length);
    }

    [Fact]
    public async Task Connections_AreKept_OnBothSides()
    {
        await using var origin = await Origin.TlsAsync(Origin.EchoAsync, "api.test");
        await using var terminating = await StartAsync(origin.Port);
        using var client = terminating.Client(terminating.Listen("api.test"));
        for (var i = 0; i < 20; i++) await client.GetStringAsync("https://api.test/");
        Assert.Single(terminating.Flows);
        Assert.Equal(1, terminating.Dialer.Dialled);
    }

    [Fact]
    public async Task Bandwidth_OfTheSandbox_Holds()
    {
        await using var origin = await Origin.TlsAsync(context => context.Response.Body.WriteAsync(new byte[2 << 20]).AsTask(), "api.test");
        await using var terminating = await Terminating.StartAsync();
        terminating.Dialer.Map("api.test", origin.Port);
        var policy = Terminating.Inject("api.test", "X-Key", "1");
        policy.Limits = new Corral.Egress.V1.Limits { BytesPerSecond = 1 << 20 };
        terminating.Apply(policy);
        using var client = terminating.Client(terminating.Listen("api.test"));
        var watch = Stopwatch.StartNew();
        Assert.Equal(2 << 20, (await client.GetByteArrayAsync("https://api.test/")).Length);
        Assert.InRange(watch.Elapsed.TotalSeconds, 1.5, 30);
    }

    [Fact]
    public async Task ClosedFlow_EndsAtOnce_WhateverIsUnderWay()
    {
        var begun = new SemaphoreSlim(0);
        await using var origin = await Origin.TlsAsync(async context =>
        {
            begun.Release();
            await Task.Delay(Timeout.InfiniteTimeSpan, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }, "api.test");
        await using var terminating = await StartAsync(origin.Port);
        using var client = terminating.Client(terminating.Listen("api.test"));
        var pending = client.GetStringAsync("https://api.test/");
        await begun.WaitAsync(Patience);
        var (flow, served) = terminating.Flows.Single();
        flow.Close("POLICY_CHANGED");
        await served.WaitAsync(TimeSpan.FromSeconds(5));
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => pending.WaitAsync(Patience));
    }

    private static async Task<Terminating> StartAsync(int port)
    {
        var terminating = await Terminating.StartAsync();
        terminating.Dialer.Map("api.test", port);
        terminating.Apply(Terminating.Inject("api.test", "X-Key", Terminating.Secret));
        return terminating;
    }

    private static async Task<WebApplication> GrpcOriginAsync()
    {
        var builder = CorralHost.CreateEdgeBuilder([], "origin");
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(TestAuthority.Shared.Sign(false, "api.test"))));
        var app = builder.Build();
        app.MapCorral();
        await app.StartAsync();
        return app;
    }

    private static async Task<byte[]> ReceiveAsync(ClientWebSocket socket, int length)
    {
        var (received, at) = (new byte[length], 0);
        while (at < length) at += (await socket.ReceiveAsync(received.AsMemory(at), CancellationToken.None).AsTask().WaitAsync(Patience)).Count;
        return received;
    }

    /// <summary>So many zeros, of unknown length.</summary>
    private sealed class ZeroContent(long length) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            var piece = new byte[64 * 1024];
            for (var sent = 0L; sent < length; sent += piece.Length) await stream.WriteAsync(piece);
        }

        protected override bool TryComputeLength(out long computed)
        {
            computed = 0;
            return false;
        }
    }
}
