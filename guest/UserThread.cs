using System.Collections.Concurrent;

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

    private static readonly BlockingCollection<Order> Orders = [];

    public static void Start() => new Thread(Run, 256 * 1024) { IsBackground = true }.Start();

    /// <summary>Runs this there; its answer, or an error number negated.</summary>
    public static int Spawn(Func<int> spawn)
    {
        var order = new Order(spawn, new TaskCompletionSource<int>());
        Orders.Add(order);
        return order.Pid.Task.GetAwaiter().GetResult();
    }

    private static void Run()
    {
        if (Libc.syscall(SetGroups, 0, 0, 0) != 0 || Libc.prctl(Libc.PrSetNoNewPrivs, 1, 0, 0, 0) != 0)
        {
            Environment.FailFast("The sandbox's user cannot be made.");
        }

        foreach (var order in Orders.GetConsumingEnumerable())
        {
            try
            {
                order.Pid.SetResult(SpawnAsUser(order.Spawn));
            }
            catch (Exception problem)
            {
                order.Pid.SetException(problem);
            }
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

    private sealed record Order(Func<int> Spawn, TaskCompletionSource<int> Pid);
}
