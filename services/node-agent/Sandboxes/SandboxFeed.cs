namespace Corral.NodeAgent.Sandboxes;

/// <summary>
/// What is to be told of sandboxes: the latest of each, in the order of their first change since it was last told. How a sandbox came to its
/// end is told again after a lost connection, until it is acknowledged. One reader.
/// </summary>
internal sealed class SandboxFeed : IDisposable
{
    private const int KeptEnds = 10_000;
    private readonly Lock _lock = new();
    private readonly Dictionary<(string SandboxId, long Generation), SandboxView> _waiting = [];
    private readonly Queue<(string SandboxId, long Generation)> _order = new();
    private readonly OrderedDictionary<(string SandboxId, long Generation), SandboxView> _ends = [];
    private readonly SemaphoreSlim _some = new(0);

    public void Publish(SandboxView view)
    {
        lock (_lock)
        {
            var key = (view.SandboxId, view.Generation);
            if (IsEnd(view))
            {
                _ends.TryAdd(key, view);
                // Nobody listens for hours: sessions then learns of the oldest ends by their absence from the inventory.
                if (_ends.Count > KeptEnds) _ends.RemoveAt(0);
            }

            Add(key, view);
        }
    }

    /// <summary>Begins anew: everything there is, and every end that was not acknowledged, then what changes.</summary>
    public IReadOnlyList<SandboxView> Restart(Func<IReadOnlyList<SandboxView>> list)
    {
        lock (_lock)
        {
            _waiting.Clear();
            _order.Clear();
        }

        // A change between the two is told twice, and none is lost.
        var all = list();
        lock (_lock) return [.. all, .. _ends.Values];
    }

    public async ValueTask<SandboxView> TakeAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            lock (_lock)
            {
                if (_order.TryDequeue(out var key) && _waiting.Remove(key, out var view)) return view;
            }

            await _some.WaitAsync(cancellationToken);
        }
    }

    public void Acknowledge(string sandboxId, long generation)
    {
        lock (_lock) _ends.Remove((sandboxId, generation));
    }

    public void Dispose() => _some.Dispose();

    public static bool IsEnd(SandboxView view) => view.Phase is SandboxPhase.Ended or SandboxPhase.Exited or SandboxPhase.Failed;

    private void Add((string, long) key, SandboxView view)
    {
        if (!_waiting.ContainsKey(key)) _order.Enqueue(key);
        _waiting[key] = view;
        if (_some.CurrentCount == 0) _some.Release();
    }
}
