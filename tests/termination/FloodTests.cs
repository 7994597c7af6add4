using System.Net;
using System.Net.Http;

namespace Corral.Termination.Tests;

/// <summary>Clients that want to wear the service out: they are cut off, and others are served.</summary>
public sealed class FloodTests
{
    [Fact]
    public async Task RapidReset_EndsTheConnection_AndNotTheService()
    {
        await using var rig = await StartAsync();
        await using (var client = await RawHttp2.ConnectAsync(rig.Terminating, rig.Port, "api.test"))
        {
            var refused = RefusedAsync(client);
            try
            {
                for (var stream = 1; stream < 20_000 && !refused.IsCompleted; stream += 2)
                {
                    await client.RequestAsync(stream, "api.test", "/slow");
                    await client.ResetAsync(stream);
                }
            }
            catch (IOException)
            {
                // Cut off while sending.
            }

            Assert.True(await refused.WaitAsync(TimeSpan.FromSeconds(30)), "the connection was not ended");
        }

        Assert.InRange(rig.Terminating.Dialer.Dialled, 0, 256);
        await rig.AssertServesAsync();
    }

    [Fact]
    public async Task HeaderFlood_InHttp1_IsRefused()
    {
        await using var rig = await StartAsync();
        await using var client = await RawClient.TlsAsync(rig.Terminating, rig.Port, "api.test");
        await client.SendAsync("GET / HTTP/1.1\r\nHost: api.test\r\n");
        var line = "X-Flood: " + new string('a', 1000) + "\r\n";
        try
        {
            for (var i = 0; i < 100_000; i++) await client.SendAsync(line);
        }
        catch (IOException)
        {
            // Cut off while sending.
        }

        var rest = await client.RestAsync();
        Assert.True(rest.Length == 0 || rest.StartsWith("HTTP/1.1 431 ", StringComparison.Ordinal) || rest.StartsWith("HTTP/1.1 400 ", StringComparison.Ordinal), rest);
        await rig.AssertServesAsync();
    }

    [Fact]
    public async Task WhoIsRefusedWhileStillSending_ReadsWhy()
    {
        await using var rig = await StartAsync();
        await using var client = await RawClient.TlsAsync(rig.Terminating, rig.Port, "api.test");
        var line = "X-Flood: " + new string('a', 1000) + "\r\n";
        await client.SendAsync("GET / HTTP/1.1\r\nHost: api.test\r\n" + string.Concat(Enumerable.Repeat(line, 150)));
        Assert.StartsWith("HTTP/1.1 431 ", await client.AnswerAsync(), StringComparison.Ordinal);

        // A reset would have the second of them fail.
        for (var i = 0; i < 10; i++) await client.SendAsync(line);

        await rig.AssertServesAsync();
    }

    [Fact]
    public async Task HeaderFlood_InContinuations_EndsTheConnection()
    {
        await using var rig = await StartAsync();
        await using (var client = await RawHttp2.ConnectAsync(rig.Terminating, rig.Port, "api.test"))
        {
            var refused = RefusedAsync(client);
            try
            {
                await client.SendAsync(RawHttp2.Headers, 0, 1, RawHttp2.Encode([(":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", "api.test")]));
                var piece = RawHttp2.Encode([("x-flood", new string('a', 8000))]);
                for (var i = 0; i < 20_000 && !refused.IsCompleted; i++) await client.SendAsync(RawHttp2.Continuation, 0, 1, piece);
            }
            catch (IOException)
            {
                // Cut off while sending.
            }

            Assert.True(await refused.WaitAsync(TimeSpan.FromSeconds(30)), "the connection was not ended");
        }

        await rig.AssertServesAsync();
    }

    [Fact]
    public async Task PingAndSettingsFlood_DoesNotHurtOthers()
    {
        await using var rig = await StartAsync();
        await using (var client = await RawHttp2.ConnectAsync(rig.Terminating, rig.Port, "api.test"))
        {
            try
            {
                for (var i = 0; i < 20_000; i++)
                {
                    await client.SendAsync(RawHttp2.Ping, 0, 0, new byte[8]);
                    await client.SendAsync(RawHttp2.Settings, 0, 0, []);
                }
            }
            catch (IOException)
            {
                // Cut off while sending.
            }
        }

        await rig.AssertServesAsync();
    }

    [Fact]
    public async Task ManyHalfOpenHandshakes_DoNotKeepOthersWaiting()
    {
        await using var rig = await StartAsync();
        var idle = new List<RawClient>();
        for (var i = 0; i < 200; i++) idle.Add(await RawClient.PlainAsync(rig.Port));
        await rig.AssertServesAsync();
        foreach (var client in idle) await client.DisposeAsync();
    }

    private static async Task<bool> RefusedAsync(RawHttp2 client)
    {
        while (await client.FrameAsync() is { } frame)
        {
            if (frame.Type == RawHttp2.GoAway) return true;
        }

        return true;
    }

    private static async Task<Rig> StartAsync()
    {
        var origin = await Origin.TlsAsync(context => context.Request.Path == "/slow" ? Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default) : Origin.EchoAsync(context), "api.test");
        var terminating = await Terminating.StartAsync();
        terminating.Dialer.Map("api.test", origin.Port);
        terminating.Apply(Terminating.Inject("api.test", "X-Key", "1"));
        return new Rig(terminating, origin, terminating.Listen("api.test"));
    }

    private sealed record Rig(Terminating Terminating, Origin Origin, int Port) : IAsyncDisposable
    {
        public async Task AssertServesAsync()
        {
            using var client = Terminating.Client(Port, HttpVersion.Version20);
            using var answer = await client.GetAsync("https://api.test/").WaitAsync(TimeSpan.FromSeconds(30));
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }

        public async ValueTask DisposeAsync()
        {
            await Terminating.DisposeAsync();
            await Origin.DisposeAsync();
        }
    }
}
