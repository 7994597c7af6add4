using Corral.Egress.Policies;

namespace Corral.Egress.Flows;

/// <summary>Holds one sandbox to its limits.</summary>
internal sealed class SandboxLimiter
{
    private readonly TimeProvider _clock;
    private readonly TokenBucket _newConnections;
    private readonly TokenBucket _questions;
    private readonly TokenBucket _bytes;
    private int _connections;
    private volatile int _mostConnections;

    public SandboxLimiter(PolicyLimits limits, TimeProvider clock)
    {
        _clock = clock;
        (_newConnections, _questions, _bytes) = (new TokenBucket(clock), new TokenBucket(clock), new TokenBucket(clock));
        Apply(limits);
    }

    /// <summary>Whether bytes are not counted at all.</summary>
    public bool IsBandwidthUnlimited => _bytes.IsUnlimited;

    public void Apply(PolicyLimits limits)
    {
        _mostConnections = limits.Connections;
        _newConnections.Set(limits.ConnectionsPerSecond, Math.Max(1, limits.ConnectionsPerSecond * 2.0));
        _questions.Set(limits.QuestionsPerSecond, Math.Max(1, limits.QuestionsPerSecond * 4.0));
        // A tenth of a second at once, so that the rate holds over short times too.
        _bytes.Set(limits.BytesPerSecond, Math.Max(16 * 1024, limits.BytesPerSecond / 10.0));
    }

    /// <summary>Counts a new connection; answers why it is one too many, or null.</summary>
    public string? TryOpen()
    {
        if (!_newConnections.TryTake()) return Refusals.TooManyNewConnections;
        if (Interlocked.Increment(ref _connections) <= _mostConnections) return null;
        Interlocked.Decrement(ref _connections);
        return Refusals.TooManyConnections;
    }

    public void Closed() => Interlocked.Decrement(ref _connections);

    public bool TryAsk() => _questions.TryTake();

    /// <summary>Counts bytes that were carried in either direction, and waits as long as the bandwidth asks for.</summary>
    public ValueTask CarriedAsync(long bytes, CancellationToken cancellationToken)
    {
        if (IsBandwidthUnlimited) return ValueTask.CompletedTask;
        var wait = _bytes.Spend(bytes);
        return wait <= TimeSpan.Zero ? ValueTask.CompletedTask : new ValueTask(Task.Delay(wait, _clock, cancellationToken));
    }
}
