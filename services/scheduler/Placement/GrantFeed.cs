using System.Collections.Immutable;
using System.Globalization;
using System.Threading.Channels;
using Corral.Redis;
using Corral.Scheduler.V1;

namespace Corral.Scheduler.Placement;

/// <summary>Tells every watcher whose turn has come. A turn that is missed is no loss: the queue's head asks again by itself.</summary>
internal sealed class GrantFeed(RedisConnection redis)
{
    private const int Capacity = 1000;

    private readonly SemaphoreSlim _starting = new(1, 1);
    private ImmutableHashSet<Channel<WatchGrantsResponse>> _watchers = [];
    private bool _subscribed;

    public async IAsyncEnumerable<WatchGrantsResponse> WatchAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await SubscribeAsync(cancellationToken);
        // The oldest turns are dropped first: they are the ones that were asked for again already.
        var channel = Channel.CreateBounded<WatchGrantsResponse>(new BoundedChannelOptions(Capacity) { FullMode = BoundedChannelFullMode.DropOldest });
        ImmutableInterlocked.Update(ref _watchers, set => set.Add(channel));
        try
        {
            await foreach (var grant in channel.Reader.ReadAllAsync(cancellationToken))
            {
                yield return grant;
            }
        }
        finally
        {
            ImmutableInterlocked.Update(ref _watchers, set => set.Remove(channel));
        }
    }

    private async Task SubscribeAsync(CancellationToken cancellationToken)
    {
        await _starting.WaitAsync(cancellationToken);
        try
        {
            if (!_subscribed)
            {
                await redis.SubscribeAsync("{nodes}:grants", Received);
                _subscribed = true;
            }
        }
        finally
        {
            _starting.Release();
        }
    }

    private void Received(string text)
    {
        var parts = text.Split('|');
        if (parts.Length != 2 || !long.TryParse(parts[1], CultureInfo.InvariantCulture, out var generation))
        {
            return;
        }

        foreach (var watcher in _watchers)
        {
            watcher.Writer.TryWrite(new WatchGrantsResponse { SandboxId = parts[0], Generation = generation });
        }
    }
}
