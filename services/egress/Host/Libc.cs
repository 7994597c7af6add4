using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Corral.Egress.Host;

/// <summary>The system calls that the service makes itself. Everything opened here is close-on-exec.</summary>
internal static unsafe partial class Libc
{
    public const int OCloExec = 0x80000, ONonBlock = 0x800;
    public const int AfInet = 2, SockStream = 1, SockDgram = 2;
    public const int CloneNewNet = 0x40000000;
    public const int EIntr = 4, EAgain = 11;
    public const int EpollCtlAdd = 1, EpollCtlDel = 2;
    public const uint EpollIn = 1, EpollOut = 4, EpollErr = 8, EpollHup = 16, EpollRdHup = 0x2000, EpollEdge = 1u << 31;
    public const uint SpliceMove = 1, SpliceNonBlock = 2;

    private const int AtEmptyPath = 0x1000;
    private const uint StatxIno = 0x100;
    private const int InodeOffset = 32, StatxSize = 256;
    private const int FSetFl = 4, FSetPipeSize = 1031;

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial SafeFileHandle open(string path, int flags);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int pipe2(int* ends, int flags);

    [LibraryImport("libc", SetLastError = true)]
    public static partial nint splice(SafeHandle from, nint fromOffset, SafeHandle to, nint toOffset, nuint length, uint flags);

    [LibraryImport("libc", SetLastError = true)]
    public static partial SafeFileHandle epoll_create1(int flags);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int epoll_ctl(SafeFileHandle epoll, int operation, SafeHandle fd, byte* change);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int epoll_wait(SafeFileHandle epoll, byte* events, int count, int timeout);

    /// <summary>Makes the kernel answer "later" instead of letting a thread wait.</summary>
    public static void SetNonBlocking(SafeSocketHandle socket) => _ = fcntl(socket, FSetFl, ONonBlock);

    public static void SetPipeSize(SafeFileHandle pipe, int bytes) => _ = fcntl(pipe, FSetPipeSize, bytes);

    /// <summary>The number by which the kernel knows an open file; two namespaces never share one.</summary>
    public static ulong InodeOf(SafeFileHandle file)
    {
        var status = stackalloc byte[StatxSize];
        return statx(file, "", AtEmptyPath, StatxIno, status) == 0 ? *(ulong*)(status + InodeOffset) : 0;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fcntl(SafeHandle fd, int command, int argument);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int statx(SafeFileHandle directory, string path, int flags, uint mask, byte* status);
}
