using System.Runtime.InteropServices;

namespace Corral.Guest;

/// <summary>Collects every child that ends, ours and the orphans that PID 1 inherits, and tells those who wait for theirs.</summary>
internal static unsafe class Reaper
{
    private static readonly object Gate = new();
    private static readonly Dictionary<int, Action<int>> Waiting = [];
    private static readonly SemaphoreSlim Children = new(0);

    public static void Start() => new Thread(Run, 256 * 1024) { IsBackground = true }.Start();

    /// <summary>Spawns under the reaper's eyes: however soon the child ends, its status finds <paramref name="ended"/>.</summary>
    public static int Spawn(Func<int> spawn, Action<int> ended)
    {
        lock (Gate)
        {
            var pid = spawn();
            if (pid > 0)
            {
                Waiting[pid] = ended;
            }

            Children.Release();
            return pid;
        }
    }

    private static void Run()
    {
        while (true)
        {
            int status;
            var pid = Libc.waitpid(-1, &status, 0);
            if (pid > 0)
            {
                Action<int>? ended;
                lock (Gate)
                {
                    Waiting.Remove(pid, out ended);
                }

                ended?.Invoke(status);
            }
            else if (Marshal.GetLastPInvokeError() == Libc.Echild)
            {
                // No child at all: there can be one again only through a spawn.
                Children.Wait();
            }
        }
    }
}
