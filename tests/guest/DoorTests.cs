using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Corral.GuestLink;
using Corral.Tests.Support;
using Xunit;

namespace Corral.Guest.Tests;

/// <summary>Who is heard: the node, with the token, in time and in form. Everybody else is dropped, and the guest lives on.</summary>
public sealed class DoorTests(SharedGuest shared)
{
    // The guest's own patience is five seconds; a machine that is busy gets more.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private static byte[] Ping => JsonSerializer.SerializeToUtf8Bytes(new GuestRequest { Op = "ping" }, GuestJson.Default.GuestRequest);

    [Fact]
    public async Task A_peer_that_says_nothing_is_dropped_unheard()
    {
        var box = await shared.GetAsync();
        using var silent = box.Connect();
        Assert.Equal(0, await DroppedAsync(silent));
    }

    [Fact]
    public async Task A_peer_with_a_wrong_token_is_dropped_unheard()
    {
        var box = await shared.GetAsync();
        using var stranger = box.Connect();
        var token = box.Token.ToArray();
        token[^1] ^= 1;
        await stranger.SendAsync((byte[])[.. token, .. GuestBox.Framed(Frame.Request, Ping)]);
        Assert.Equal(0, await DroppedAsync(stranger));
    }

    [Theory]
    [InlineData(uint.MaxValue)]
    [InlineData(0x80000000)]
    [InlineData(Frame.MaxRequest + 1)]
    public async Task A_request_that_claims_a_huge_length_is_dropped_and_takes_no_memory(uint length)
    {
        var box = await shared.GetAsync();
        using var greedy = box.Connect();
        await greedy.SendAsync((byte[])[.. box.Token, Frame.Request, .. BitConverter.GetBytes(length), .. new byte[1000]]);
        Assert.Equal(0, await DroppedAsync(greedy));
        Assert.InRange(box.Status("VmHWM"), 1, 64 * 1024);
    }

    [Fact]
    public async Task A_peer_that_sends_a_byte_now_and_then_gains_no_time()
    {
        var box = await shared.GetAsync();
        using var slow = box.Connect();
        var dropped = DroppedAsync(slow);
        using var beat = new PeriodicTimer(TimeSpan.FromMilliseconds(500));
        for (var sent = 0; sent < 1000 && !dropped.IsCompleted; sent++)
        {
            try
            {
                // The right token first: then a request that never gets whole.
                await slow.SendAsync(sent == 0 ? [.. box.Token, Frame.Request, .. BitConverter.GetBytes(5000)] : new byte[] { (byte)' ' });
            }
            catch (SocketException)
            {
                break;
            }

            await Task.WhenAny(dropped, beat.WaitForNextTickAsync().AsTask());
        }

        Assert.Equal(0, await dropped);
    }

    [Fact]
    public async Task Requests_that_are_not_whole_are_refused_and_the_guest_lives_on()
    {
        var box = await shared.GetAsync();
        string[] requests =
        [
            "", "null", "[]", "{", "\"exec\"", "{}", "{\"Op\":null}", "{\"Op\":\"nonsense\"}", "{\"Op\":\"exec\"}", "{\"Op\":\"exec\",\"Shell\":true}",
            "{\"Op\":\"exec\",\"Command\":null}", "{\"Op\":\"exec\",\"Command\":[null]}", "{\"Op\":\"exec\",\"Command\":[\"true\"],\"Environment\":null}",
            "{\"Op\":\"exec\",\"Command\":[\"true\"],\"Environment\":{\"A\":null}}", "{\"Op\":\"exec\",\"Command\":[\"tr\\u0000ue\"]}",
            "{\"Op\":\"exec\",\"Command\":[\"true\"],\"Environment\":{\"A=B\":\"1\"}}", "{\"Op\":\"exec\",\"Command\":[\"true\"],\"Environment\":{\"\":\"1\"}}",
            "{\"Op\":\"configure\",\"Environment\":null}", "{\"Op\":\"trust\"}", "{\"Op\":\"read\"}", "{\"Op\":\"move\",\"Path\":\"a\"}", "\xff\xfe", new string('[', 2000),
        ];
        foreach (var request in requests)
        {
            using var socket = box.Ask(Encoding.Latin1.GetBytes(request));
            socket.Shutdown(SocketShutdown.Send);
            var answer = await AnswerAsync(socket);
            Assert.True(answer.Length == 0 || answer[0] == Frame.Error, $"{request}: answered {(answer.Length > 0 ? answer[0] : 0)}");
        }

        await box.Client.PingAsync(CancellationToken.None);
    }

    [Fact]
    public async Task Random_requests_never_end_the_guest()
    {
        var box = await shared.GetAsync();
        var random = new Random(1);
        var seed = JsonSerializer.SerializeToUtf8Bytes(
            new GuestRequest { Op = "stat", Path = "/workspace", Command = ["true"], Environment = new Dictionary<string, string> { ["A"] = "b" }, Columns = 80, Rows = 24 },
            GuestJson.Default.GuestRequest);
        for (var round = 0; round < 300; round++)
        {
            using var socket = box.Ask(Mutate(seed, random));
            socket.Shutdown(SocketShutdown.Send);
            await DroppedAsync(socket);
        }

        await box.Client.PingAsync(CancellationToken.None);
    }

    [Fact]
    public async Task Random_frames_to_a_command_end_it_at_most_and_never_the_guest()
    {
        var box = await shared.GetAsync();
        var random = new Random(2);
        var request = JsonSerializer.SerializeToUtf8Bytes(Running.Shell("cat > /dev/null"), GuestJson.Default.GuestRequest);
        for (var round = 0; round < 100; round++)
        {
            using var socket = box.Ask(request);
            var garbage = new byte[random.Next(1, 2000)];
            random.NextBytes(garbage);
            // Mostly kinds that there are, with lengths that could be.
            for (var at = 0; at + 5 < garbage.Length; at += random.Next(5, 60)) (garbage[at], garbage[at + 2], garbage[at + 3], garbage[at + 4]) = ((byte)random.Next(14, 22), 0, 0, 0);
            await socket.SendAsync(garbage);
            socket.Shutdown(SocketShutdown.Send);
            await DroppedAsync(socket);
        }

        await box.Client.PingAsync(CancellationToken.None);
        Assert.Equal("", (await box.ShAsync("pgrep -x cat || true", root: true)).Out);
    }

    [Fact]
    public async Task More_connections_than_there_are_places_are_dropped_and_places_come_back()
    {
        await using var box = await GuestBox.StartAsync();
        // One of 256 is that of the client, which keeps it.
        const int Places = 255;
        var peers = new List<Socket>();
        try
        {
            var request = JsonSerializer.SerializeToUtf8Bytes(Running.Shell("sleep 1000"), GuestJson.Default.GuestRequest);
            for (var i = 0; i < Places; i++) peers.Add(box.Ask(request));
            await Eventually.Async("all places are taken", () => box.Status("Threads") >= Places);
            using var beyond = box.Connect();
            Assert.Equal(0, await DroppedAsync(beyond));
        }
        finally
        {
            peers.ForEach(peer => peer.Dispose());
        }

        await Eventually.Async("places are free again", TimeSpan.FromSeconds(30), async () =>
        {
            try
            {
                return (await box.ShAsync("pgrep -c -x sleep", root: true)).Out.Trim() == "0";
            }
            catch (Exception problem) when (problem is GuestException or IOException)
            {
                return false;
            }
        });
    }

    [Fact]
    public async Task A_connection_whose_request_is_answered_takes_another()
    {
        var box = await shared.GetAsync();
        using var socket = box.Ask(Ping);
        Assert.Equal(Frame.Result, (await FrameAsync(socket)).Kind);

        var command = JsonSerializer.SerializeToUtf8Bytes(Running.Shell("echo again"), GuestJson.Default.GuestRequest);
        await socket.SendAsync((byte[])[.. GuestBox.Framed(Frame.Request, command), .. GuestBox.Framed(Frame.CloseStdin, [])]);

        Assert.Equal((Frame.Stdout, "again\n"), await FrameAsync(socket));
        Assert.Equal(Frame.Exit, (await FrameAsync(socket)).Kind);
    }

    [Fact]
    public async Task What_a_command_did_not_read_is_never_taken_for_a_request()
    {
        var box = await shared.GetAsync();
        using var socket = box.Ask(JsonSerializer.SerializeToUtf8Bytes(Running.Shell("true"), GuestJson.Default.GuestRequest));
        Assert.Equal(Frame.Exit, (await FrameAsync(socket)).Kind);

        var forged = GuestBox.Framed(Frame.Request, JsonSerializer.SerializeToUtf8Bytes(Running.Shell("echo forged"), GuestJson.Default.GuestRequest));
        await socket.SendAsync((byte[])[.. GuestBox.Framed(Frame.Stdin, forged), .. GuestBox.Framed(Frame.CloseStdin, []), .. GuestBox.Framed(Frame.Request, Ping)]);

        Assert.Equal(Frame.Result, (await FrameAsync(socket)).Kind);
    }

    [Theory]
    [InlineData(Frame.Data)]
    [InlineData(Frame.End)]
    [InlineData(0)]
    public async Task What_is_no_request_after_an_answer_ends_the_connection(byte kind)
    {
        var box = await shared.GetAsync();
        using var socket = box.Ask(Ping);
        Assert.Equal(Frame.Result, (await FrameAsync(socket)).Kind);

        await socket.SendAsync((byte[])[.. GuestBox.Framed(kind, "x"u8), .. GuestBox.Framed(Frame.Request, Ping)]);

        Assert.Equal(0, await DroppedAsync(socket));
    }

    [Fact]
    public async Task What_follows_a_longer_answer_is_not_heard()
    {
        var box = await shared.GetAsync();
        using var socket = box.Ask(JsonSerializer.SerializeToUtf8Bytes(new GuestRequest { Op = "list", Path = "/workspace" }, GuestJson.Default.GuestRequest));
        await socket.SendAsync(GuestBox.Framed(Frame.Request, JsonSerializer.SerializeToUtf8Bytes(Running.Shell("touch /workspace/heard"), GuestJson.Default.GuestRequest)));

        await DroppedAsync(socket);

        Assert.Equal("no\n", (await box.ShAsync("test -e /workspace/heard && echo yes || echo no")).Out);
    }

    [Fact]
    public async Task With_a_peer_named_nobody_else_is_heard()
    {
        await using var box = await GuestBox.StartAsync("127.0.0.1");
        using var other = box.Connect("127.0.0.2");
        await other.SendAsync((byte[])[.. box.Token, .. GuestBox.Framed(Frame.Request, Ping)]);
        Assert.Equal(0, await DroppedAsync(other));
        await box.Client.PingAsync(CancellationToken.None);
    }

    private static async Task<(byte Kind, string Payload)> FrameAsync(Socket socket)
    {
        using var patience = new CancellationTokenSource(Patience);
        await using var stream = new NetworkStream(socket);
        var header = new byte[Frame.HeaderLength];
        await stream.ReadExactlyAsync(header, patience.Token);
        var payload = new byte[BitConverter.ToInt32(header, 1)];
        await stream.ReadExactlyAsync(payload, patience.Token);
        return (header[0], Encoding.UTF8.GetString(payload));
    }

    // How many bytes came before the other side closed.
    private static async Task<int> DroppedAsync(Socket socket) => (await AnswerAsync(socket)).Length;

    private static async Task<byte[]> AnswerAsync(Socket socket)
    {
        using var patience = new CancellationTokenSource(Patience);
        var answer = new List<byte>();
        var buffer = new byte[4096];
        try
        {
            while (await socket.ReceiveAsync(buffer, patience.Token) is > 0 and var count) answer.AddRange(buffer.AsSpan(0, count));
        }
        catch (SocketException)
        {
            // Reset: closed with bytes of ours unread.
        }
        catch (OperationCanceledException)
        {
            Assert.Fail($"waited {Patience} in vain for the guest to drop its peer");
        }

        return [.. answer];
    }

    private static byte[] Mutate(byte[] seed, Random random)
    {
        var mutated = seed.ToList();
        for (var change = random.Next(1, 8); change > 0; change--)
        {
            var at = random.Next(mutated.Count);
            switch (random.Next(3))
            {
                case 0:
                    mutated[at] = (byte)random.Next(256);
                    break;
                case 1:
                    mutated.RemoveAt(at);
                    break;
                default:
                    mutated.InsertRange(at, mutated.Skip(random.Next(mutated.Count)).Take(random.Next(20)).ToList());
                    break;
            }
        }

        return [.. mutated];
    }
}
