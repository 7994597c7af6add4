using System.Threading.Tasks.Sources;

namespace Corral.Egress.Flows.Splicing;

/// <summary>Something that happens again and again, and one who waits for it. It remembers one occurrence that nobody waited for.</summary>
/// <remarks>The waiter goes on right on the thread that sets it: a hop to the pool for every piece would cost more than the piece.</remarks>
internal sealed class AsyncSignal : IValueTaskSource
{
    private const int Nothing = 0, Happened = 1, Awaited = 2;
    private ManualResetValueTaskSourceCore<bool> _source;
    private int _state;

    public ValueTask WaitAsync()
    {
        if (Interlocked.CompareExchange(ref _state, Nothing, Happened) == Happened) return ValueTask.CompletedTask;
        _source.Reset();
        if (Interlocked.CompareExchange(ref _state, Awaited, Nothing) == Nothing) return new ValueTask(this, _source.Version);
        Volatile.Write(ref _state, Nothing);
        return ValueTask.CompletedTask;
    }

    public void Set()
    {
        while (true)
        {
            var state = Volatile.Read(ref _state);
            var next = state == Awaited ? Nothing : Happened;
            if (Interlocked.CompareExchange(ref _state, next, state) != state) continue;
            if (state == Awaited) _source.SetResult(true);
            return;
        }
    }

    void IValueTaskSource.GetResult(short token) => _source.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _source.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _source.OnCompleted(continuation, state, token, flags);
}
