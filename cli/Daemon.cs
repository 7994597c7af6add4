using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Corral.Cli;

/// <summary>Starts processes that are nobody's children in the terminal's eyes, and asks them to end.</summary>
internal static partial class Daemon
{
    private const int SigTerm = 15;

    /// <summary>
    /// Starts a program in a session of its own, so that Ctrl-C reaches only whoever stops it in order. The shell replaces itself: the
    /// number is the program's. The log is opened by it, so that it outlives this process.
    /// </summary>
    public static Process Start(string log, string program, IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string>? variables = null)
    {
        var start = new ProcessStartInfo("/usr/bin/setsid", ["/bin/sh", "-c", "log=$1; shift; exec \"$@\" >> \"$log\" 2>&1 < /dev/null", "sh", log, program, .. arguments])
        {
            WorkingDirectory = "/",
        };
        foreach (var (name, value) in variables ?? new Dictionary<string, string>()) start.Environment.TryAdd(name, value);
        return Process.Start(start)!;
    }

    /// <summary>Sends SIGTERM; a process that is gone is fine.</summary>
    public static void Terminate(int pid) => _ = Kill(pid, SigTerm);

    [LibraryImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Kill(int pid, int signal);
}
