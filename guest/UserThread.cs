namespace Corral.Guest;

/// <summary>
/// A thread of this process that starts programs as the sandbox's user: uid and gid 1000, no other groups, and no program that gives them more.
/// </summary>
/// <remarks>
/// To the kernel, ids belong to a thread. This one's real ids are the user's while it spawns, its effective ones stay root's; the child
/// makes the real ones its effective ones (POSIX_SPAWN_RESETIDS), and with its exec nothing of root is left. A program such as setpriv between
/// the two would do the same, for as much time as a small command takes altogether.
/// </remarks>
internal static unsafe class UserThread
{
    public const uint User = 1000;
    private const nint SetResUid = 117;
    private const nint SetResGid = 119;
    private const nint SetGroups = 116;

    // Neither side turns on the spot while it waits: the processor is wanted by what was started.
    private static readonly AutoResetEvent Wanted = new(false);
    private static readonly AutoResetEvent Spawned = new(false);
    private static Func<int>? _spawn;
    private static int _pid;
    private static Exception? _problem;

    public static void Start() => new Thread(Run, 256 * 1024) { IsBackground = true }.Start();

    /// <summary>Runs this there; its answer, or an error number negated. One at a time: whoever spawns has the reaper's lock.</summary>
    public static int Spawn(Func<int> spawn)
    {
        _spawn = spawn;
        Wanted.Set();
        Spawned.WaitOne();
        return _problem is null ? _pid : throw new InvalidOperationException("The program could not be started.", _problem);
    }

    private static void Run()
    {
        if (Libc.syscall(SetGroups, 0, 0, 0) != 0 || Libc.prctl(Libc.PrSetNoNewPrivs, 1, 0, 0, 0) != 0)
        {
            Environment.FailFast("The sandbox's user cannot be made.");
        }

        while (true)
        {
            Wanted.WaitOne();
            _problem = null;
            try
            {
                _pid = SpawnAsUser(_spawn!);
            }
            catch (Exception problem)
            {
                // Of whoever asked, and not of this thread: its end would be PID 1's.
                _problem = problem;
            }

            _spawn = null;
            Spawned.Set();
        }
    }

    private static int SpawnAsUser(Func<int> spawn)
    {
        try
        {
            return Libc.syscall(SetResGid, (nint)User, 0, 0) == 0 && Libc.syscall(SetResUid, (nint)User, 0, 0) == 0 ? spawn() : -Libc.LastError;
        }
        finally
        {
            // Not a moment longer than needed: who has a thread's real id may send it signals.
            if (Libc.syscall(SetResUid, 0, 0, 0) != 0 || Libc.syscall(SetResGid, 0, 0, 0) != 0)
            {
                Environment.FailFast("This thread cannot be root's again.");
            }
        }
    }
}
