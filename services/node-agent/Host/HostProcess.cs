using System.Runtime.InteropServices;
using System.Text;

namespace Corral.NodeAgent.Host;

/// <summary>
/// Starts a program from the calling thread, so that it inherits that thread's namespaces and cgroups (System.Diagnostics.Process forks
/// from whichever thread it likes and costs ten times as much), and waits for it.
/// </summary>
internal static unsafe class HostProcess
{
    private static readonly string[] Directories = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    private static readonly string[] Environment = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C"];

    /// <summary>Runs a program to its end; its input is empty and its output is kept (64 KiB).</summary>
    public static HostProcessResult Run(string path, IReadOnlyList<string> arguments, string? input = null)
    {
        using var stdin = input is null ? Fd.Open("/dev/null", Libc.ORdOnly) : Memory("stdin", input);
        using var output = Memory("output", "");
        var code = Wait(Spawn(path, arguments, stdin, output));
        return new HostProcessResult(code, ReadBack(output));
    }

    /// <summary>
    /// Runs a container runtime to its end, and answers its exit status. What it was started with becomes the box's: an input without
    /// anything and an output that nobody reads, and not /dev/null, which a runtime would make the property of the box's root, for the
    /// whole host.
    /// </summary>
    public static int RunRuntime(string path, IReadOnlyList<string> arguments)
    {
        var (stdin, nobody) = Fd.Pipe();
        using (stdin)
        {
            nobody.Dispose();
            var (read, output) = Fd.Pipe();
            using (read)
            using (output) return Wait(Spawn(path, arguments, stdin, output));
        }
    }

    /// <summary>As <see cref="Run"/>, and throws with the program's own words when it fails.</summary>
    public static string Require(string path, IReadOnlyList<string> arguments, string? input = null)
    {
        var result = Run(path, arguments, input);
        return result.ExitCode == 0
            ? result.Output
            : throw new HostException($"{Path.GetFileName(path)} {string.Join(' ', arguments.Take(4))} exited with {result.ExitCode}: {result.Output.Trim()}");
    }

    /// <summary>The first of the usual places where <paramref name="program"/> lies, or null.</summary>
    public static string? Find(string program) =>
        Directories.Select(directory => Path.Combine(directory, program)).FirstOrDefault(File.Exists);

    public static string Locate(string program) => Find(program) ?? throw new HostException($"The program '{program}' is not installed.");

    public static int Spawn(string path, IReadOnlyList<string> arguments, Fd stdin, Fd output)
    {
        // Opaque libc structures; these sizes exceed every libc's own (glibc: 80, 336 and 128 bytes).
        byte* actions = stackalloc byte[512], attributes = stackalloc byte[1024], none = stackalloc byte[128], all = stackalloc byte[128];
        new Span<byte>(none, 128).Clear();
        new Span<byte>(all, 128).Fill(0xff);
        _ = Libc.posix_spawn_file_actions_init(actions);
        _ = Libc.posix_spawnattr_init(attributes);
        using var strings = new NativeStrings([path, .. arguments]);
        using var environment = new NativeStrings(Environment);
        try
        {
            _ = Libc.posix_spawn_file_actions_adddup2(actions, stdin.Value, 0);
            _ = Libc.posix_spawn_file_actions_adddup2(actions, output.Value, 1);
            _ = Libc.posix_spawn_file_actions_adddup2(actions, output.Value, 2);
            // .NET blocks and ignores some signals (SIGPIPE): children start with none of that.
            _ = Libc.posix_spawnattr_setflags(attributes, 0x04 | 0x08);
            _ = Libc.posix_spawnattr_setsigdefault(attributes, all);
            _ = Libc.posix_spawnattr_setsigmask(attributes, none);
            var error = Libc.posix_spawn(out var pid, path, actions, attributes, strings.Pointer, environment.Pointer);
            return error == 0 ? pid : throw new HostException($"posix_spawn {path}", error);
        }
        finally
        {
            _ = Libc.posix_spawn_file_actions_destroy(actions);
            _ = Libc.posix_spawnattr_destroy(attributes);
        }
    }

    public static int Wait(int pid)
    {
        int status;
        while (Libc.waitpid(pid, &status, 0) < 0)
        {
            if (Marshal.GetLastPInvokeError() != Libc.EIntr) return -1;
        }

        return (status & 0x7f) == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f);
    }

    private static Fd Memory(string name, string content)
    {
        var fd = new Fd(Libc.Check(Libc.memfd_create(name, 1 /* MFD_CLOEXEC */), "memfd_create"));
        var bytes = Encoding.UTF8.GetBytes(content);
        fixed (byte* p = bytes) _ = Libc.write(fd.Value, p, (nuint)bytes.Length);
        _ = Libc.lseek(fd.Value, 0, 0);
        return fd;
    }

    internal static string ReadBack(Fd fd)
    {
        _ = Libc.lseek(fd.Value, 0, 0);
        var buffer = new byte[64 * 1024];
        var length = 0;
        fixed (byte* p = buffer)
        {
            nint got;
            while (length < buffer.Length && (got = Libc.read(fd.Value, p + length, (nuint)(buffer.Length - length))) > 0) length += (int)got;
        }

        return Encoding.UTF8.GetString(buffer, 0, length);
    }

    private sealed class NativeStrings : IDisposable
    {
        private readonly nint[] _items;
        private readonly byte** _list;

        public NativeStrings(IReadOnlyList<string> texts)
        {
            _items = [.. texts.Select(Marshal.StringToCoTaskMemUTF8)];
            _list = (byte**)NativeMemory.Alloc((nuint)((_items.Length + 1) * sizeof(byte*)));
            for (var i = 0; i < _items.Length; i++) _list[i] = (byte*)_items[i];
            _list[_items.Length] = null;
        }

        public byte** Pointer => _list;

        public void Dispose()
        {
            foreach (var item in _items) Marshal.FreeCoTaskMem(item);
            NativeMemory.Free(_list);
        }
    }
}

/// <summary>How a host program ended.</summary>
internal readonly record struct HostProcessResult(int ExitCode, string Output);
