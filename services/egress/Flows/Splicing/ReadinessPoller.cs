using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Corral.Egress.Host;
using Microsoft.Win32.SafeHandles;

namespace Corral.Egress.Flows.Splicing;

/// <summary>
/// Waits for all spliced sockets on one thread (epoll, edge-triggered: a socket is announced once, and waiting for it costs no system call).
/// .NET's own sockets can wait for a read without a buffer, but not for a write.
/// </summary>
internal sealed unsafe class ReadinessPoller : IDisposable
{
    private const int BatchSize = 128;
    private const long StopTag = 0;
    private const uint ReadEvents = Libc.EpollIn | Libc.EpollRdHup | Libc.EpollHup | Libc.EpollErr;
    private const uint WriteEvents = Libc.EpollOut | Libc.EpollHup | Libc.EpollErr;
    private readonly ConcurrentDictionary<long, SocketReadiness> _watched = new();
    private readonly SafeFileHandle _epoll = Libc.epoll_create1(Libc.OCloExec);
    private readonly SplicePipe _stop = SplicePipe.Open();
    private readonly Thread _thread;
    private long _lastTag = StopTag;

    public ReadinessPoller()
    {
        Add(_stop.Output, StopTag, Libc.EpollIn);
        _thread = new Thread(Loop, 256 * 1024) { IsBackground = true, Name = "splice-poller" };
        _thread.Start();
    }

    /// <summary>Begins to watch a socket. It must be forgotten before it is closed.</summary>
    public SocketReadiness Watch(Socket socket)
    {
        var readiness = new SocketReadiness(Interlocked.Increment(ref _lastTag), socket);
        _watched[readiness.Tag] = readiness;
        Libc.SetNonBlocking(socket.SafeHandle);
        Add(socket.SafeHandle, readiness.Tag, Libc.EpollIn | Libc.EpollOut | Libc.EpollRdHup | Libc.EpollEdge);
        return readiness;
    }

    public void Forget(SocketReadiness readiness)
    {
        _watched.TryRemove(readiness.Tag, out _);
        if (!readiness.Socket.SafeHandle.IsClosed) _ = Libc.epoll_ctl(_epoll, Libc.EpollCtlDel, readiness.Socket.SafeHandle, null);
    }

    public void Dispose()
    {
        // The other end sees that and wakes.
        _stop.Input.Dispose();
        _thread.Join();
        _stop.Output.Dispose();
        _epoll.Dispose();
    }

    private void Add(SafeHandle fd, long tag, uint events)
    {
        var change = stackalloc byte[EpollEvent.Size];
        EpollEvent.Write(change, events, tag);
        if (Libc.epoll_ctl(_epoll, Libc.EpollCtlAdd, fd, change) != 0) throw new IOException($"epoll_ctl: error {Marshal.GetLastPInvokeError()}.");
    }

    private void Loop()
    {
        var events = stackalloc byte[BatchSize * EpollEvent.Size];
        while (true)
        {
            var count = Libc.epoll_wait(_epoll, events, BatchSize, -1);
            for (var i = 0; i < count; i++)
            {
                var one = events + (i * EpollEvent.Size);
                var tag = EpollEvent.TagOf(one);
                if (tag == StopTag) return;
                if (_watched.TryGetValue(tag, out var readiness)) Announce(readiness, EpollEvent.EventsOf(one));
            }
        }
    }

    private static void Announce(SocketReadiness readiness, uint events)
    {
        if ((events & ReadEvents) != 0) readiness.Readable.Set();
        if ((events & WriteEvents) != 0) readiness.Writable.Set();
    }
}
