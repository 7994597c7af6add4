using System.Collections.Concurrent;

namespace Corral.Egress.Dns;

/// <summary>Resolves names for all sandboxes, each once at a time, and remembers for as long as the answers hold (within bounds).</summary>
internal sealed class UpstreamResolver(ResolverClient client, TimeProvider clock)
{
    private const int MostRemembered = 20_000;
    private static readonly TimeSpan Shortest = TimeSpan.FromSeconds(1), Longest = TimeSpan.FromMinutes(5), LongestFailure = TimeSpan.FromSeconds(5);
    private static readonly Resolution Failure = new(ResolutionOutcome.Failed, [], TimeSpan.Zero);

    private readonly ConcurrentDictionary<string, Remembered> _remembered = new(StringComparer.Ordinal);

    /// <summary>The addresses of a normalised name: IPv4 ones, or IPv6 ones where there are no others.</summary>
    public async Task<Resolution> ResolveAsync(string name, CancellationToken cancellationToken)
    {
        if (_remembered.TryGetValue(name, out var known) && known.Holds(clock)) return await known.Task.WaitAsync(cancellationToken);
        if (_remembered.Count >= MostRemembered) Forget();
        var fresh = new Remembered(() => AskAsync(name), clock);
        var kept = _remembered.AddOrUpdate(name, fresh, (_, present) => present.Holds(clock) ? present : fresh);
        return await kept.Task.WaitAsync(cancellationToken);
    }

    // Whoever asked first may have gone away while others wait: nobody's patience but the client's own counts.
    private async Task<Resolution> AskAsync(string name)
    {
        if (await client.AskAsync(name, DnsType.A, CancellationToken.None) is not { } reply) return Failure;
        if (reply.Addresses.Count == 0 && reply.Code == DnsCode.NoError)
        {
            if (await client.AskAsync(name, DnsType.Aaaa, CancellationToken.None) is not { } other) return Failure;
            reply = other;
        }

        var time = Clamp(TimeSpan.FromSeconds(reply.TimeToLive), reply.Addresses.Count > 0 ? Longest : LongestFailure);
        return new Resolution(reply.Addresses.Count > 0 ? ResolutionOutcome.Found : ResolutionOutcome.NotFound, reply.Addresses, time);
    }

    private static TimeSpan Clamp(TimeSpan time, TimeSpan longest) => time < Shortest ? Shortest : time > longest ? longest : time;

    private void Forget()
    {
        foreach (var (name, remembered) in _remembered)
        {
            if (!remembered.Holds(clock)) _remembered.TryRemove(new KeyValuePair<string, Remembered>(name, remembered));
        }

        // All of them young: the next ones ask again, and nothing is wrong but slower.
        if (_remembered.Count >= MostRemembered) _remembered.Clear();
    }

    private sealed class Remembered(Func<Task<Resolution>> ask, TimeProvider clock)
    {
        private readonly Lazy<Task<Resolution>> _task = new(ask);
        private long _answered;

        public Task<Resolution> Task => _task.IsValueCreated ? _task.Value : Begin();

        public bool Holds(TimeProvider now)
        {
            if (!_task.IsValueCreated || !_task.Value.IsCompleted) return true;
            return _task.Value.IsCompletedSuccessfully && now.GetElapsedTime(Volatile.Read(ref _answered)) < _task.Value.Result.TimeToLive;
        }

        private Task<Resolution> Begin()
        {
            // The time counts from the question: a little too short is right.
            Interlocked.CompareExchange(ref _answered, clock.GetTimestamp(), 0);
            return _task.Value;
        }
    }
}
