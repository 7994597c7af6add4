using System.Collections.Concurrent;
using Corral.Redis;
using Corral.Tests.Support;
using StackExchange.Redis;
using Xunit;

namespace Corral.Contract.Tests;

/// <summary>Redis as the services use it, against a real server.</summary>
public sealed class RedisTests : IAsyncLifetime
{
    private RedisServer _server = null!;
    private RedisConnection _redis = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await RedisServer.StartAsync();
        _redis = new RedisConnection(_server.SocketPath);
    }

    public async ValueTask DisposeAsync()
    {
        await _redis.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task AScript_RunsByItsDigest_AndWholeWhereItIsUnknown()
    {
        var script = new RedisScript("return {redis.call('INCRBY', KEYS[1], ARGV[1]), 'done'}");

        var first = await script.RunAsync(_redis, ["counter"], 5);
        var second = await script.RunAsync(_redis, ["counter"], 2);

        Assert.Equal(5, (long)((RedisResult[])first!)[0]);
        Assert.Equal(7, (long)((RedisResult[])second!)[0]);
    }

    [Fact]
    public async Task ManyCommandsAtOnce_ShareOneConnection()
    {
        await Task.WhenAll(Enumerable.Range(0, 5_000).Select(i => _redis.RunAsync(db => db.StringSetAsync($"k{i}", new string('x', i)))));

        var lengths = await Task.WhenAll(Enumerable.Range(0, 5_000).Select(i => _redis.RunAsync(db => db.StringLengthAsync($"k{i}"))));
        Assert.Equal(Enumerable.Range(0, 5_000).Select(i => (long)i), lengths);
    }

    [Fact]
    public async Task HashesSetsAndStreams_AreReadBack()
    {
        await _redis.RunAsync(async db =>
        {
            await db.HashSetAsync("hash", [new HashEntry("a", 1), new HashEntry("b", "two")]);
            await db.SortedSetAddAsync("due", [new SortedSetEntry("x", 2), new SortedSetEntry("y", 1)]);
            return await db.StreamAddAsync("events", [new NameValueEntry("type", "made")]);
        });

        Assert.Equal("two", await _redis.RunAsync(db => db.HashGetAsync("hash", "b")));
        Assert.Equal(["y", "x"], (await _redis.RunAsync(db => db.SortedSetRangeByScoreAsync("due"))).Select(v => v.ToString()));
        Assert.Equal("made", (await _redis.RunAsync(db => db.StreamReadAsync("events", "0-0")))[0]["type"]);
    }

    [Fact]
    public async Task WhatIsPublished_IsReceived()
    {
        var received = new TaskCompletionSource<string>();
        await _redis.SubscribeAsync("news", received.SetResult);

        await _redis.RunAsync(db => db.PublishAsync(RedisChannel.Literal("news"), "hello"));

        Assert.Equal("hello", await received.Task.WaitAsync(TimeSpan.FromSeconds(60)));
    }

    [Fact]
    public async Task WhatIsPublished_IsReceivedByEverybodyWhoListens()
    {
        var (first, second) = (new TaskCompletionSource<string>(), new TaskCompletionSource<string>());
        await _redis.SubscribeAsync("news", first.SetResult);
        await _redis.SubscribeAsync("news", second.SetResult);

        await _redis.RunAsync(db => db.PublishAsync(RedisChannel.Literal("news"), "hello"));

        Assert.Equal(["hello", "hello"], await Task.WhenAll(first.Task, second.Task).WaitAsync(TimeSpan.FromSeconds(60)));
    }

    [Fact]
    public async Task AListener_KnowsThatItHearsNothing_WhileThereIsNoServer()
    {
        var (received, hears) = (new ConcurrentQueue<string>(), false);
        using var stopping = new CancellationTokenSource();
        _server.Kill();
        var listening = new RedisListener(_redis, "news", TimeProvider.System).RunAsync(received.Enqueue, now => Volatile.Write(ref hears, now), stopping.Token);
        await _server.RestartAsync();
        await Eventually.Async("it hears", () => Volatile.Read(ref hears));

        _server.Kill();
        await Eventually.Async("it knows that it does not", () => !Volatile.Read(ref hears));
        await _server.RestartAsync();
        await Eventually.Async("it hears again", () => Volatile.Read(ref hears));
        await _redis.RunAsync(db => db.PublishAsync(RedisChannel.Literal("news"), "hello"));

        await Eventually.Async("it received what was published", () => received.Contains("hello"));
        await stopping.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => listening);
        // Its own messages are nobody else's.
        Assert.DoesNotContain(received, message => message != "hello");
    }

    [Fact]
    public async Task AListenerThatHears_MissesNothing_HoweverOftenItsConnectionBreaks()
    {
        const int Times = 10;
        await using var other = new RedisConnection(_server.SocketPath);
        var (received, hears, losses) = (new ConcurrentQueue<string>(), false, 0);
        using var stopping = new CancellationTokenSource();
        var listening = new RedisListener(_redis, "news", TimeProvider.System).RunAsync(received.Enqueue, Told, stopping.Token);

        for (var i = 1; i <= Times; i++)
        {
            await Eventually.Async($"it hears for the {i}. time", () => Volatile.Read(ref hears));
            var before = Volatile.Read(ref losses);
            await other.RunAsync(db => db.PublishAsync(RedisChannel.Literal("news"), $"{i}"));
            // A loss is told late at times, when it hears again already: then it is told twice.
            await Eventually.Async($"it received {i}, or knows that it may not", () => received.Contains($"{i}") || Volatile.Read(ref losses) > before);
            before = Volatile.Read(ref losses);
            await other.RunAsync(db => db.ExecuteAsync("CLIENT", "KILL", "TYPE", "pubsub"));
            await Eventually.Async("it knows of its loss", () => Volatile.Read(ref losses) > before);
        }

        void Told(bool now)
        {
            Volatile.Write(ref hears, now);
            Interlocked.Add(ref losses, now ? 0 : 1);
        }

        await stopping.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => listening);
    }

    [Fact]
    public async Task AServerThatDies_IsSaidToBeAway_AndNothingAcknowledgedIsLost()
    {
        await _redis.RunAsync(db => db.StringSetAsync("kept", "yes"));

        _server.Kill();
        await Assert.ThrowsAsync<StateStoreUnavailableException>(() => _redis.RunAsync(db => db.StringGetAsync("kept")));
        await _server.RestartAsync();
        var kept = "";
        await Eventually.Async("the connection is back", TimeSpan.FromSeconds(60), async () =>
        {
            try
            {
                kept = await _redis.RunAsync(db => db.StringGetAsync("kept"));
                return true;
            }
            catch (StateStoreUnavailableException)
            {
                return false;
            }
        });

        Assert.Equal("yes", kept);
    }
}
