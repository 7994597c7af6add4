using System.Collections;
using System.Collections.Concurrent;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Runtime.CompilerServices;

namespace Pipelines.Sockets.Unofficial;

/// <summary>Runs work on threads of its own, and on the shared pool when too much waits.</summary>
public sealed class DedicatedThreadPoolPipeScheduler : PipeScheduler, IDisposable
{
    private readonly BlockingCollection<(Action<object?> Action, object? State)> _queue = [];
    private readonly int _threadPoolQueueLength;
    private int _available;
    private long _byQueue;
    private long _byPool;

    public DedicatedThreadPoolPipeScheduler(
        string? name = null, int workerCount = 5, int useThreadPoolQueueLength = 10, ThreadPriority priority = ThreadPriority.Normal)
    {
        WorkerCount = workerCount;
        _threadPoolQueueLength = useThreadPoolQueueLength;
        for (var i = 0; i < workerCount; i++)
        {
            new Thread(Work) { IsBackground = true, Name = $"{name}:{i}", Priority = priority }.Start();
        }
    }

    public int WorkerCount { get; }

    public int AvailableCount => Volatile.Read(ref _available);

    public long TotalServicedByQueue => Interlocked.Read(ref _byQueue);

    public long TotalServicedByPool => Interlocked.Read(ref _byPool);

    public override void Schedule(Action<object?> action, object? state)
    {
        if (_queue.IsAddingCompleted || _queue.Count >= _threadPoolQueueLength)
        {
            Interlocked.Increment(ref _byPool);
            ThreadPool.Schedule(action, state);
            return;
        }

        _queue.Add((action, state));
    }

    public void Dispose() => _queue.CompleteAdding();

    private void Work()
    {
        Interlocked.Increment(ref _available);
        foreach (var (action, state) in _queue.GetConsumingEnumerable())
        {
            Interlocked.Decrement(ref _available);
            Interlocked.Increment(ref _byQueue);
            try
            {
                action(state);
            }
            catch (Exception exception)
            {
                // What the work reports is the work's own; a thread is not lost over it.
                System.Diagnostics.Debug.WriteLine(exception);
            }

            Interlocked.Increment(ref _available);
        }
    }
}

/// <summary>A socket operation that can be awaited.</summary>
public sealed class SocketAwaitableEventArgs(PipeScheduler? ioScheduler = null) : SocketAsyncEventArgs, ICriticalNotifyCompletion
{
    private static readonly Action Done = () => { };

    private Action? _continuation;

    public bool IsCompleted => ReferenceEquals(Volatile.Read(ref _continuation), Done);

    public SocketAwaitableEventArgs GetAwaiter() => this;

    public int GetResult()
    {
        Volatile.Write(ref _continuation, null);
        return SocketError == SocketError.Success ? BytesTransferred : throw new SocketException((int)SocketError);
    }

    public void OnCompleted(Action continuation)
    {
        if (ReferenceEquals(Volatile.Read(ref _continuation), Done)
            || ReferenceEquals(Interlocked.CompareExchange(ref _continuation, continuation, null), Done))
        {
            Run(continuation);
        }
    }

    public void UnsafeOnCompleted(Action continuation) => OnCompleted(continuation);

    public void Complete() => OnCompleted(this);

    public void Abort(SocketError error = SocketError.OperationAborted)
    {
        SocketError = error;
        Complete();
    }

    protected override void OnCompleted(SocketAsyncEventArgs e)
    {
        if (Interlocked.Exchange(ref _continuation, Done) is { } continuation && !ReferenceEquals(continuation, Done))
        {
            Run(continuation);
        }
    }

    private void Run(Action continuation) => (ioScheduler ?? PipeScheduler.ThreadPool).Schedule(static state => ((Action)state!)(), continuation);
}

/// <summary>Walks the targets of a delegate.</summary>
public static class Delegates
{
    public static bool IsSingle(this MulticastDelegate handler) => handler.HasSingleTarget;

    public static DelegateEnumerable<T> AsEnumerable<T>(this T handler)
        where T : MulticastDelegate => new(handler);

    /// <summary>The targets of a delegate.</summary>
    public readonly struct DelegateEnumerable<T> : IEnumerable<T>
        where T : MulticastDelegate
    {
        private readonly T? _handler;

        internal DelegateEnumerable(T? handler) => _handler = handler;

        public DelegateEnumerator<T> GetEnumerator() => new(_handler);

        IEnumerator<T> IEnumerable<T>.GetEnumerator() => GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }

    /// <summary>Walks the targets of a delegate.</summary>
    public struct DelegateEnumerator<T> : IEnumerator<T>
        where T : MulticastDelegate
    {
        private readonly Delegate[] _targets;
        private int _index;

        internal DelegateEnumerator(T? handler)
        {
            _targets = handler?.GetInvocationList() ?? [];
            _index = -1;
        }

        public readonly T Current => (T)_targets[_index];

        readonly object IEnumerator.Current => Current;

        public bool MoveNext() => ++_index < _targets.Length;

        public void Reset() => _index = -1;

        public readonly void Dispose()
        {
        }
    }
}
