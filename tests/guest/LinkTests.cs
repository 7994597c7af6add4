using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text.Json;
using Corral.GuestLink;
using Xunit;

namespace Corral.Guest.Tests;

/// <summary>How the node's side uses its connections.</summary>
public sealed class LinkTests(SharedGuest shared) : IDisposable
{
    private readonly ConcurrentQueue<Socket> _dialled = [];

    [Fact]
    public async Task What_is_asked_one_after_the_other_shares_a_connection()
    {
        var client = await ClientAsync();

        await client.PingAsync(CancellationToken.None);
        Assert.Equal(["one\n", "two\n"], [await EchoAsync(client, "one"), await EchoAsync(client, "two")]);
        foreach (var path in new[] { "/nowhere", "/a\0b" }) await Assert.ThrowsAsync<GuestException>(() => client.StatAsync(path, CancellationToken.None));
        Assert.Equal("three\n", await EchoAsync(client, "three"));

        Assert.Single(_dialled);
    }

    [Fact]
    public async Task Input_that_no_command_took_does_not_disturb_the_next()
    {
        var client = await ClientAsync();

        await using (var stream = await client.ExecAsync(Running.Shell("echo one"), new byte[Frame.MaxPayload], CancellationToken.None))
        {
            Assert.Equal("one\n", (await stream.EndAsync()).Out);
            stream.Finish();
        }

        Assert.Equal("two\n", await EchoAsync(client, "two"));
        Assert.Single(_dialled);
    }

    [Fact]
    public async Task What_is_asked_at_once_has_connections_of_its_own_of_which_few_stay()
    {
        var client = await ClientAsync();

        await Task.WhenAll(Enumerable.Range(0, 8).Select(n => EchoAsync(client, $"{n}")));
        var most = _dialled.Count;
        await Task.WhenAll(Enumerable.Range(0, 2).Select(n => EchoAsync(client, $"{n}")));

        Assert.InRange(most, 2, 8);
        Assert.Equal(most, _dialled.Count);
        Assert.InRange(_dialled.Count(socket => socket.SafeHandle is { IsClosed: false }), 1, 2);
    }

    [Fact]
    public async Task A_command_that_is_left_takes_its_connection_with_it()
    {
        var client = await ClientAsync();

        var stream = await client.ExecAsync(Running.Shell("echo begun; sleep 1000"), CancellationToken.None);
        await stream.UntilAsync("begun");
        await stream.DisposeAsync();

        Assert.Equal("next\n", await EchoAsync(client, "next"));
        Assert.Equal(2, _dialled.Count);
    }

    [Fact]
    public async Task A_connection_that_broke_meanwhile_is_replaced()
    {
        var client = await ClientAsync();
        await client.PingAsync(CancellationToken.None);

        foreach (var socket in _dialled) socket.Shutdown(SocketShutdown.Both);

        Assert.Equal("next\n", await EchoAsync(client, "next"));
        Assert.Equal(2, _dialled.Count);
    }

    [Theory]
    [InlineData(100, 1)]
    [InlineData(1, 400_000)]
    public async Task A_listing_without_end_is_a_guest_that_is_lost(int entries, int length)
    {
        var answer = new GuestResult { Entries = [.. Enumerable.Repeat(new GuestEntry(new string('n', length), "/n", "file", 0, 0, 0, null), entries)] };
        var frame = GuestBox.Framed(Frame.Result, JsonSerializer.SerializeToUtf8Bytes(answer, GuestJson.Default.GuestResult));
        var client = new GuestClient(_ => Task.FromResult<Stream>(new Endless(frame)), new byte[Frame.TokenLength]);

        Assert.Equal("lost", await Running.CodeAsync(() => client.ListAsync("/", CancellationToken.None)));
        Assert.Equal("lost", await Running.CodeAsync(() => client.FindAsync("/", 0, null, [], CancellationToken.None)));
    }

    public void Dispose()
    {
        foreach (var socket in _dialled) socket.Dispose();
    }

    private async Task<GuestClient> ClientAsync()
    {
        var box = await shared.GetAsync();
        return new GuestClient(_ =>
        {
            var socket = box.Connect();
            _dialled.Enqueue(socket);
            return Task.FromResult<Stream>(new NetworkStream(socket, ownsSocket: true));
        }, box.Token);
    }

    private static async Task<string> EchoAsync(GuestClient client, string word)
    {
        await using var stream = await client.ExecAsync(Running.Shell($"echo {word}"), [], CancellationToken.None);
        var ran = await stream.EndAsync();
        stream.Finish();
        return ran.Out;
    }

    // Says the same again and again, whatever it hears.
    private sealed class Endless(byte[] frame) : MemoryStream
    {
        private int _at;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var count = Math.Min(buffer.Length, frame.Length - _at);
            frame.AsSpan(_at, count).CopyTo(buffer.Span);
            _at = (_at + count) % frame.Length;
            return ValueTask.FromResult(count);
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => ValueTask.CompletedTask;
    }
}
