using System.Runtime.InteropServices;
using System.Text;

namespace Corral.Guest;

/// <summary>What is to be started, and with which descriptors.</summary>
internal sealed record Spawn
{
    /// <summary>A program's path, or a name that is looked for on its own PATH, and what it is given.</summary>
    public required IReadOnlyList<string> Command { get; init; }

    /// <summary>What is started in its place when it is not there, or is no program that can be run.</summary>
    public IReadOnlyList<string>? Otherwise { get; init; }

    public required IReadOnlyDictionary<string, string> Environment { get; init; }

    public required bool Root { get; init; }

    public string Directory { get; init; } = "/";

    public int Stdin { get; init; } = -1;

    public int Stdout { get; init; } = -1;

    public int Stderr { get; init; } = -1;

    /// <summary>The path of a terminal that becomes the three descriptors and the controlling terminal.</summary>
    public string? Terminal { get; init; }
}

/// <summary>Starts programs in a session of their own, as root or as the sandbox's user, without ever forking this process.</summary>
internal static unsafe class Spawner
{
    // Larger than the C library's own types.
    private const int OpaqueSize = 512;

    /// <summary>The process id, or the error number negated.</summary>
    public static int Start(Spawn spawn) => spawn.Root ? Launch(spawn, 0) : UserThread.Spawn(() => Launch(spawn, Libc.SpawnResetIds));

    private static int Launch(Spawn spawn, int ids)
    {
        var pid = ProgramPath.Find(spawn) is { } program ? Launch(program, spawn, ids) : -Libc.Enoent;
        return pid < 0 && spawn.Otherwise is { } shell ? Launch(shell[0], spawn with { Command = shell }, ids) : pid;
    }

    private static int Launch(string path, Spawn spawn, int ids)
    {
        byte* actions = stackalloc byte[OpaqueSize];
        byte* attributes = stackalloc byte[OpaqueSize];
        byte* signals = stackalloc byte[OpaqueSize];
        var owned = new List<nint>();
        try
        {
            Libc.posix_spawn_file_actions_init(actions);
            Libc.posix_spawnattr_init(attributes);
            Libc.posix_spawnattr_setflags(attributes, (short)(ids | Libc.SpawnSetsid | Libc.SpawnSetsigmask | Libc.SpawnSetsigdef));
            Libc.sigemptyset(signals);
            Libc.posix_spawnattr_setsigmask(attributes, signals);
            Libc.sigfillset(signals);
            Libc.posix_spawnattr_setsigdefault(attributes, signals);
            Wire(actions, spawn, owned);
            // Ours close by themselves; whatever else this process was given does, too.
            Libc.posix_spawn_file_actions_addclosefrom_np(actions, 3);
            Libc.posix_spawn_file_actions_addchdir_np(actions, Text(spawn.Directory, owned));
            var program = Text(path, owned);
            var (arguments, environment) = ((nint)Vector(spawn.Command, owned), (nint)Vector([.. spawn.Environment.Select(e => $"{e.Key}={e.Value}")], owned));
            var (wired, set) = ((nint)actions, (nint)attributes);
            return OomScore.Raised(() =>
            {
                int pid;
                var error = Libc.posix_spawn(&pid, program, (void*)wired, (void*)set, (byte**)arguments, (byte**)environment);
                return error == 0 ? pid : -error;
            });
        }
        finally
        {
            Libc.posix_spawn_file_actions_destroy(actions);
            owned.ForEach(Marshal.FreeHGlobal);
        }
    }

    private static void Wire(byte* actions, Spawn spawn, List<nint> owned)
    {
        if (spawn.Terminal is not null)
        {
            // Opened by a session leader without a terminal, it becomes the controlling one.
            Libc.posix_spawn_file_actions_addopen(actions, 0, Text(spawn.Terminal, owned), Libc.ORdwr, 0);
            Libc.posix_spawn_file_actions_adddup2(actions, 0, 1);
            Libc.posix_spawn_file_actions_adddup2(actions, 0, 2);
            return;
        }

        Connect(actions, 0, spawn.Stdin, owned);
        Connect(actions, 1, spawn.Stdout, owned);
        Connect(actions, 2, spawn.Stderr, owned);
    }

    private static void Connect(byte* actions, int target, int fd, List<nint> owned)
    {
        if (fd < 0)
        {
            Libc.posix_spawn_file_actions_addopen(actions, target, Text("/dev/null", owned), Libc.ORdwr, 0);
        }
        else
        {
            Libc.posix_spawn_file_actions_adddup2(actions, fd, target);
        }
    }

    private static byte* Text(string text, List<nint> owned)
    {
        var memory = (byte*)Marshal.AllocHGlobal(Encoding.UTF8.GetMaxByteCount(text.Length) + 1);
        owned.Add((nint)memory);
        var length = Encoding.UTF8.GetBytes(text, new Span<byte>(memory, Encoding.UTF8.GetMaxByteCount(text.Length)));
        memory[length] = 0;
        return memory;
    }

    private static byte** Vector(IReadOnlyList<string> items, List<nint> owned)
    {
        var vector = (byte**)Marshal.AllocHGlobal((items.Count + 1) * sizeof(byte*));
        owned.Add((nint)vector);
        for (var i = 0; i < items.Count; i++)
        {
            vector[i] = Text(items[i], owned);
        }

        vector[items.Count] = null;
        return vector;
    }
}
