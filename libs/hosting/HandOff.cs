namespace Corral.Hosting;

/// <summary>
/// Work for a thread of its own. Unlike BlockingCollection, the thread sleeps while there is none, and does not look for some on the spot first:
/// the processor is wanted by those that are to bring it.
/// </summary>
public sealed class HandOff<T>
{
    private readonly Queue<T> _waiting = [];
    private bool _ended;

    /// <summary>Hands over one piece of work. Throws ObjectDisposedException after <see cref="End"/>.</summary>
    public void Add(T work)
    {
        lock (_waiting)
        {
            ObjectDisposedException.ThrowIf(_ended, this);
            _waiting.Enqueue(work);
            Monitor.Pulse(_waiting);
        }
    }

    /// <summary>Takes no more work; what was handed over before is still done.</summary>
    public void End()
    {
        lock (_waiting)
        {
            _ended = true;
            Monitor.PulseAll(_waiting);
        }
    }

    /// <summary>All work, in its order, until the end.</summary>
    public IEnumerable<T> TakeAll()
    {
        while (TryTake(out var work))
        {
            yield return work;
        }
    }

    private bool TryTake(out T work)
    {
        lock (_waiting)
        {
            while (_waiting.Count == 0 && !_ended)
            {
                Monitor.Wait(_waiting);
            }

            return _waiting.TryDequeue(out work!);
        }
    }
}
