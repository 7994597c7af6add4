using System.Collections.Concurrent;

namespace Corral.Egress.Flows.Splicing;

/// <summary>Pipes for whoever has bytes under way. A connection that waits holds none, so that it costs two descriptors and not six.</summary>
internal sealed class PipePool : IDisposable
{
    private const int MostIdle = 32;
    private readonly ConcurrentBag<SplicePipe> _idle = [];
    private int _count;

    public SplicePipe Rent()
    {
        if (!_idle.TryTake(out var pipe)) return SplicePipe.Open();
        Interlocked.Decrement(ref _count);
        return pipe;
    }

    /// <summary>Takes a pipe back; one that still holds bytes is closed, because they are somebody's.</summary>
    public void Return(SplicePipe pipe)
    {
        if (pipe.Held == 0 && Interlocked.Increment(ref _count) <= MostIdle)
        {
            _idle.Add(pipe);
            return;
        }

        if (pipe.Held == 0) Interlocked.Decrement(ref _count);
        pipe.Dispose();
    }

    public void Dispose()
    {
        while (_idle.TryTake(out var pipe)) pipe.Dispose();
    }
}
