namespace Corral.Guest;

/// <summary>Collects every child that ends, ours and the orphans that PID 1 inherits, and tells those who wait for theirs.</summary>
/// <remarks>A child is looked at before it is collected, and collected under the lock: whoever signals one of ours never meets a stranger with its number.</remarks>
internal static unsafe class Reaper
{
    private const int All = 0;
    private const int Exited = 4;
    private const int LeaveIt = 0x01000000;
    private const int SiginfoSize = 128;
    private const int SiginfoPid = 16;

    private static readonly Lock Gate = new();
    private static readonly Dictionary<int, Child> Waiting = [];
    private static readonly AutoResetEvent Spawned = new(false);

    public static void Start() => new Thread(Run, 256 * 1024) { IsBackground = true }.Start();

    /// <summary>Spawns under the reaper's eyes: however soon the child ends, its status finds <paramref name="ended"/>.</summary>
    public static int Spawn(Func<int> spawn, Action<int> ended)
    {
        lock (Gate)
        {
            var pid = spawn();
            if (pid > 0)
            {
                Waiting[pid] = new Child(ended);
            }

            Spawned.Set();
            return pid;
        }
    }

    /// <summary>Signals a child of ours and its process group, unless it is gone already.</summary>
    /// <param name="pid">From <see cref="Spawn"/>.</param>
    /// <param name="signal">What is sent.</param>
    /// <param name="last">Whether what is left of the group is killed as soon as the child itself ends.</param>
    public static void Signal(int pid, int signal, bool last = false)
    {
        lock (Gate)
        {
            if (Waiting.TryGetValue(pid, out var child))
            {
                child.TakesGroupAlong |= last;
                _ = Libc.kill(-pid, signal);
            }
        }
    }

    private static void Run()
    {
        var info = stackalloc byte[SiginfoSize];
        while (true)
        {
            if (Libc.waitid(All, 0, info, Exited | LeaveIt) == 0)
            {
                Collect(*(int*)(info + SiginfoPid));
            }
            else if (Libc.LastError == Libc.Echild)
            {
                // No child at all: there can be one again only through a spawn.
                Spawned.WaitOne();
            }
        }
    }

    private static void Collect(int pid)
    {
        Child? child;
        var status = 0;
        lock (Gate)
        {
            if (Waiting.Remove(pid, out child) && child.TakesGroupAlong)
            {
                _ = Libc.kill(-pid, Libc.Sigkill);
            }

            _ = Libc.waitpid(pid, &status, 0);
        }

        child?.Ended(status);
    }

    private sealed class Child(Action<int> ended)
    {
        public Action<int> Ended => ended;

        public bool TakesGroupAlong { get; set; }
    }
}
