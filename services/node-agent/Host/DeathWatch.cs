using System.Collections.Concurrent;

namespace Corral.NodeAgent.Host;

/// <summary>
/// Tells when processes end that are not children of this one (a container's first process belongs to whoever reaps orphans): one epoll
/// over pidfds, one thread for all.
/// </summary>
internal sealed unsafe class DeathWatch : IDisposable
{
    private readonly Fd _epoll = new(Libc.Check(Libc.epoll_create1(Libc.OCloExec), "epoll_create1"));
    private readonly Fd _stop = new(Libc.Check(Libc.eventfd(0, Libc.OCloExec), "eventfd"));
    private readonly ConcurrentDictionary<int, Entry> _watched = new();
    private readonly Thread _thread;

    public DeathWatch()
    {
        Register(_stop.Value);
        _thread = new Thread(Loop, 256 * 1024) { IsBackground = true, Name = "death-watch" };
        _thread.Start();
    }

    /// <summary>Calls <paramref name="died"/> once when the process ends, from the watch's thread; at once when it has ended.</summary>
    public IDisposable Watch(int pid, Action died)
    {
        var raw = Libc.PidFdOpen(pid);
        if (raw < 0)
        {
            died();
            return new Registration(null, null);
        }

        var entry = new Entry(raw, new Fd(raw), died);
        _watched[raw] = entry;
        Register(raw);
        return new Registration(this, entry);
    }

    public void Dispose()
    {
        ulong one = 1;
        _ = Libc.write(_stop.Value, (byte*)&one, 8);
        _thread.Join();
        foreach (var (_, entry) in _watched) entry.Fd.Dispose();
        _epoll.Dispose();
        _stop.Dispose();
    }

    private void Register(int fd)
    {
        var change = stackalloc byte[16];
        Libc.EpollEvent.Write(change, 1 /* EPOLLIN */, fd);
        Libc.Check(Libc.epoll_ctl(_epoll.Value, 1, fd, (Libc.EpollEvent*)change), "epoll_ctl");
    }

    private void Forget(Entry entry)
    {
        // The number may have been given to another process since: only this very entry is taken out.
        if (_watched.TryRemove(new KeyValuePair<int, Entry>(entry.Number, entry))) entry.Fd.Dispose(); // closing ends the epoll registration too
    }

    private void Loop()
    {
        var events = stackalloc byte[16 * 32];
        while (true)
        {
            var count = Libc.epoll_wait(_epoll.Value, (Libc.EpollEvent*)events, 32, -1);
            for (var i = 0; i < count; i++)
            {
                var fd = Libc.EpollEvent.Fd(events + (i * Libc.EpollEvent.Size));
                if (fd == _stop.Value) return;
                if (!_watched.TryRemove(fd, out var entry)) continue;
                entry.Fd.Dispose();
                entry.Died();
            }
        }
    }

    private sealed record Entry(int Number, Fd Fd, Action Died);

    private sealed class Registration(DeathWatch? watch, Entry? entry) : IDisposable
    {
        private int _done;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _done, 1) == 0) watch?.Forget(entry!);
        }
    }
}
