using Microsoft.Win32.SafeHandles;

namespace Corral.NodeAgent.Host;

/// <summary>A copy of a program in memory that nobody can change any more, not even a box that comes to hold it open (CVE-2019-5736).</summary>
/// <remarks>
/// crun makes such a copy of itself at every start, and starts again from it, unless it is one already: then it has its libraries loaded
/// once in place of twice, which is half of what it takes to begin.
/// </remarks>
internal sealed class SealedProgram
{
    private const uint CloseOnExec = 0x1, AllowSealing = 0x2;
    private const int AddSeals = 1033;

    // The seals themselves, both directions of its size, and its content: all that crun asks for.
    private const int Sealed = 0x1 | 0x2 | 0x4 | 0x8;

    // Never closed: it is there for as long as the process.
    private readonly Fd _memory;

    private SealedProgram(Fd memory) => _memory = memory;

    /// <summary>What to start. A name that holds in every mount namespace with the host's /proc.</summary>
    public string Path => $"/proc/{Environment.ProcessId}/fd/{_memory.Value}";

    /// <summary>A copy that the host lets run, or null: some forbid to run what is in memory (vm.memfd_noexec).</summary>
    public static SealedProgram? TryCopy(string path)
    {
        try
        {
            var copy = new SealedProgram(Copy(path));
            return HostProcess.Run(copy.Path, ["--version"]).ExitCode == 0 ? copy : null;
        }
        catch (HostException)
        {
            return null;
        }
    }

    private static Fd Copy(string path)
    {
        using var memory = new Fd(Libc.Check(Libc.memfd_create(System.IO.Path.GetFileName(path), CloseOnExec | AllowSealing), "memfd_create"));
        using (var target = new SafeFileHandle(memory.Value, ownsHandle: false)) RandomAccess.Write(target, File.ReadAllBytes(path), 0);
        Libc.Check(Libc.fcntl(memory.Value, AddSeals, Sealed), "seal");
        // What is open for writing is not run.
        return Fd.Open($"/proc/self/fd/{memory.Value}", Libc.ORdOnly);
    }
}
