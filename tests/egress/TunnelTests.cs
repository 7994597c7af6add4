using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Corral.Egress.Dialing;
using Corral.Egress.Flows;
using Corral.Egress.Flows.Splicing;
using Corral.Egress.Tests.Lab;
using Corral.Egress.V1;
using Corral.Tests.Support;
using Xunit;

namespace Corral.Egress.Tests;

/// <summary>Bytes that are carried as they are.</summary>
public sealed class TunnelTests(EgressLab lab)
{
    private const int Much = 48 << 20;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly Policy Usual = TestBox.Custom("allowed.test", "other.test");

    [Fact]
    public async Task Download_ArrivesWholeAndInOrder()
    {
        using var box = await lab.BoxAsync(Usual);
        using var client = await box.ConnectAsync("allowed.test", Outside.Source);
        await client.SendAsync(Length(Much));
        Assert.Equal(Much, await ReadPatternAsync(client.Socket, Much));
        Assert.Equal("", await client.ReadAllAsync());
        client.Dispose();
        Assert.Equal(Much, (await box.AuditOfAsync("the connection", r => r.Kind == AuditKind.Connection)).ReceivedBytes);
    }

    [Fact]
    public async Task Upload_EndsWithTheClientsEnd_AndTheAnswerStillArrives()
    {
        using var box = await lab.BoxAsync(Usual);
        using var client = await box.ConnectAsync("allowed.test", Outside.Digest);
        var content = RandomNumberGenerator.GetBytes(Much);
        await client.SendAsync("x");
        await client.Socket.SendAsync(content.AsMemory(1));
        client.Socket.Shutdown(SocketShutdown.Send);
        content[0] = (byte)'x';
        Assert.Equal(SHA256.HashData(content), System.Text.Encoding.Latin1.GetBytes(await client.ReadAllAsync()));
        client.Dispose();
        Assert.Equal(Much, (await box.AuditOfAsync("the connection", r => r.Kind == AuditKind.Connection)).SentBytes);
    }

    [Fact]
    public async Task ReaderThatStops_StopsTheSender_AndGetsEverythingAfterwards()
    {
        using var box = await lab.BoxAsync(Usual);
        using var client = await box.ConnectAsync("allowed.test", Outside.Source);
        await client.SendAsync(Length(Much));
        await StandsStillAsync(box);
        Assert.Equal(Much, await ReadPatternAsync(client.Socket, Much));
    }

    [Fact]
    public async Task ServersReset_IsAResetForTheClient()
    {
        using var box = await lab.BoxAsync(Usual);
        using var client = await box.ConnectAsync("allowed.test", Outside.Reset);
        await client.SendAsync("x");
        Assert.Equal("reset", await client.ReadAllAsync());
    }

    [Fact]
    public async Task ClientsReset_EndsTheConnectionOutside()
    {
        using var box = await lab.BoxAsync(Usual);
        using var client = await box.ConnectAsync("allowed.test", Outside.Mute);
        await client.SendAsync("x");
        await Eventually.Async("the connection is carried", () => OpenFlows(box) == 1);
        client.Socket.LingerState = new LingerOption(true, 0);
        client.Dispose();
        await Eventually.Async("the connection is over", () => OpenFlows(box) == 0);
        await box.AuditOfAsync("the connection", r => r.Kind == AuditKind.Connection);
    }

    [Fact]
    public async Task ManyConnectionsOfTwoBoxes_SomeReset_NoByteGoesAstray_AndNoDescriptorStays()
    {
        using var first = await lab.BoxAsync(Usual);
        using var second = await lab.BoxAsync(Usual);
        var before = OpenDescriptors();
        await Task.WhenAll(Enumerable.Range(0, 120).Select(i => ExchangeAsync(i % 2 == 0 ? first : second, i)));
        await Eventually.Async("all connections are over", () => OpenFlows(first) + OpenFlows(second) == 0);
        await Eventually.Async("the descriptors are closed", () => OpenDescriptors() <= before + 80); // pipes are kept for the next
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task DirectionThatFails_EndsTheOther(bool inTls)
    {
        lab.RequireHost();
        using var poller = new ReadinessPoller();
        using var pipes = new PipePool();
        using var sandbox = Unattached.Sandbox(Usual);
        var (client, inside) = await PairAsync();
        var (upstream, outside) = await PairAsync();
        using (inside)
        using (outside)
        using (var flow = new Flow(sandbox, client, (IPEndPoint)client.LocalEndPoint!))
        using (var way = new Upstream(upstream, (IPEndPoint)upstream.RemoteEndPoint!, inTls ? File.OpenWrite("/dev/null") : null))
        using (var relay = new RelayFactory(poller, pipes).Create(flow, way))
        {
            var up = relay.UpAsync();
            // What is closed, or can only be written to, cannot be read.
            upstream.Dispose();
            Assert.False(await relay.DownAsync().WaitAsync(Patience));
            Assert.False(await up.WaitAsync(Patience));
        }
    }

    [Fact]
    public async Task SignalThatCameBeforeItWasAwaited_IsNotLost()
    {
        var signal = new AsyncSignal();
        signal.Set();
        signal.Set();
        await signal.WaitAsync();
        var wait = signal.WaitAsync();
        Assert.False(wait.IsCompleted);
        signal.Set();
        await wait;
        for (var i = 0; i < 20_000; i++)
        {
            var setter = Task.Run(signal.Set);
            await signal.WaitAsync();
            await setter;
        }
    }

    private static async Task<(Socket Near, Socket Far)> PairAsync()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var near = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await near.ConnectAsync(listener.LocalEndpoint);
        return (near, await listener.AcceptSocketAsync());
    }

    private static async Task ExchangeAsync(TestBox box, int seed)
    {
        var random = new Random(seed);
        using var client = await box.ConnectAsync("allowed.test", Outside.Source);
        var length = random.Next(1, 1 << 20);
        await client.SendAsync(Length(length));
        if (seed % 5 == 0)
        {
            client.Socket.LingerState = new LingerOption(true, 0);
            return;
        }

        Assert.Equal(length, await ReadPatternAsync(client.Socket, length));
    }

    private async Task StandsStillAsync(TestBox box)
    {
        var last = -1L;
        await Eventually.Async("nothing moves any more", TimeSpan.FromSeconds(20), async () =>
        {
            var now = lab.Egress.Get<Gates.GateTable>().Find(box.Id)!.Flows.Sum(flow => flow.ReceivedBytes);
            var still = now > 0 && now == last;
            last = now;
            await Task.Delay(200);
            return still;
        });
        Assert.InRange(last, 1, Much - 1);
    }

    private int OpenFlows(TestBox box) => lab.Egress.Get<Gates.GateTable>().Find(box.Id)!.Flows.Count;

    private static int OpenDescriptors() => Directory.EnumerateFileSystemEntries("/proc/self/fd").Count();

    private static byte[] Length(long length)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteInt64BigEndian(bytes, length);
        return bytes;
    }

    private static async Task<long> ReadPatternAsync(Socket socket, long length)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        var buffer = new byte[256 * 1024];
        var at = 0L;
        while (at < length && await socket.ReceiveAsync(buffer, patience.Token) is > 0 and var read)
        {
            for (var i = 0; i < read; i++)
            {
                if (buffer[i] != Outside.Pattern(at + i)) return -1;
            }

            at += read;
        }

        return at;
    }
}
