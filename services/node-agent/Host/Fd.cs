using Microsoft.Win32.SafeHandles;

namespace Corral.NodeAgent.Host;

/// <summary>A file descriptor that this object owns.</summary>
internal sealed class Fd : SafeHandleZeroOrMinusOneIsInvalid
{
    public Fd(int fd) : base(ownsHandle: true) => SetHandle(fd);

    public int Value => (int)handle;

    public static Fd Open(string path, int flags, int mode = 0) => new(Libc.Check(Libc.open(path, flags | Libc.OCloExec, mode), $"open {path}"));

    /// <summary>A pipe's two ends.</summary>
    public static unsafe (Fd Read, Fd Write) Pipe()
    {
        var ends = stackalloc int[2];
        Libc.Check(Libc.pipe2(ends, Libc.OCloExec), "pipe");
        return (new Fd(ends[0]), new Fd(ends[1]));
    }

    protected override bool ReleaseHandle() => Libc.close((int)handle) == 0;
}
