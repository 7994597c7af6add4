namespace Corral.NodeAgent.Sandboxes;

/// <summary>
/// Generations that were ended, so that a start that was overtaken by its own end does not begin. An hour is longer than any call lives; a
/// node that restarts in between is told by sessions to end what should not be there.
/// </summary>
internal sealed class EndedSandboxes(TimeProvider clock)
{
    private static readonly TimeSpan Kept = TimeSpan.FromHours(1);
    private readonly Dictionary<string, (long Generation, DateTimeOffset At)> _last = new(StringComparer.Ordinal);
    private readonly Queue<(string SandboxId, DateTimeOffset At)> _order = new();

    public void Note(string sandboxId, long generation)
    {
        var now = clock.GetUtcNow();
        _last[sandboxId] = (Math.Max(generation, _last.GetValueOrDefault(sandboxId).Generation), now);
        _order.Enqueue((sandboxId, now));
        while (_order.TryPeek(out var oldest) && now - oldest.At > Kept)
        {
            _order.Dequeue();
            if (_last.TryGetValue(oldest.SandboxId, out var known) && known.At == oldest.At) _last.Remove(oldest.SandboxId);
        }
    }

    /// <summary>The last generation that was ended, when it is this one or a later one.</summary>
    public long? Covers(string sandboxId, long generation) =>
        _last.TryGetValue(sandboxId, out var known) && known.Generation >= generation ? known.Generation : null;
}
