using System.Runtime.InteropServices;

namespace Corral.NodeAgent.Host;

/// <summary>The system calls the node makes itself. Everything opened here is close-on-exec.</summary>
internal static unsafe partial class Libc
{
    public const int CloneFs = 0x200, CloneNewNs = 0x20000, CloneNewNet = 0x40000000, CloneNewUser = 0x10000000;
    public const uint MsRdOnly = 1, MsNoSuid = 2, MsNoDev = 4, MsNoExec = 8, MsRemount = 32, MsNoAtime = 1024, MsBind = 4096, MsRec = 16384,
        MsPrivate = 1 << 18, MsSlave = 1 << 19;
    public const int MntDetach = 2;
    public const int ORdOnly = 0, OWrOnly = 1, ORdWr = 2, OCreat = 0x40, OTrunc = 0x200, ODirectory = 0x10000, OCloExec = 0x80000;
    public const int AtFdCwd = -100, AtEmptyPath = 0x1000, AtRecursive = 0x8000;
    public const int SigKill = 9;
    public const int EPerm = 1, ENoEnt = 2, ESrch = 3, EIntr = 4, EBusy = 16, EExist = 17, EInval = 22;
    public const int AfInet = 2, AfNetlink = 16, SockStream = 1, SockRaw = 3, SockCloExec = 0x80000, SockNonBlock = 0x800;

    [LibraryImport("libc", SetLastError = true)]
    public static partial int unshare(int flags);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int setns(int fd, int kind);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int mount(string? source, string target, string? type, nuint flags, string? data);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int umount2(string target, int flags);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int open(string path, int flags, int mode);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int close(int fd);

    [LibraryImport("libc", SetLastError = true)]
    public static partial nint read(int fd, byte* buffer, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    public static partial nint write(int fd, byte* buffer, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int fsync(int fd);

    [LibraryImport("libc", SetLastError = true)]
    public static partial nint lseek(int fd, nint offset, int whence);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int ioctl(int fd, nuint request, void* argument);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int kill(int pid, int signal);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int waitpid(int pid, int* status, int options);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int socket(int family, int kind, int protocol);

    [LibraryImport("libc", SetLastError = true)]
    public static partial nint send(int fd, byte* buffer, nuint count, int flags);

    [LibraryImport("libc", SetLastError = true)]
    public static partial nint recv(int fd, byte* buffer, nuint count, int flags);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int chown(string path, int user, int group);

    [LibraryImport("libc", SetLastError = true)]
    public static unsafe partial int pipe2(int* ends, int flags);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int memfd_create(string name, uint flags);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int fcntl(int fd, int command, int argument);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int posix_spawn(out int pid, string path, void* actions, void* attributes, byte** arguments, byte** environment);

    [LibraryImport("libc")]
    public static partial int posix_spawn_file_actions_init(void* actions);

    [LibraryImport("libc")]
    public static partial int posix_spawn_file_actions_destroy(void* actions);

    [LibraryImport("libc")]
    public static partial int posix_spawn_file_actions_adddup2(void* actions, int from, int to);

    [LibraryImport("libc")]
    public static partial int posix_spawnattr_init(void* attributes);

    [LibraryImport("libc")]
    public static partial int posix_spawnattr_destroy(void* attributes);

    [LibraryImport("libc")]
    public static partial int posix_spawnattr_setflags(void* attributes, short flags);

    [LibraryImport("libc")]
    public static partial int posix_spawnattr_setsigmask(void* attributes, void* set);

    [LibraryImport("libc")]
    public static partial int posix_spawnattr_setsigdefault(void* attributes, void* set);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int epoll_create1(int flags);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int epoll_ctl(int epoll, int operation, int fd, EpollEvent* change);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int epoll_wait(int epoll, EpollEvent* events, int max, int timeout);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int eventfd(uint initial, int flags);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint Syscall(nint number, nint a, nint b, nint c, nint d, nint e);

    [LibraryImport("libc", EntryPoint = "getrlimit", SetLastError = true)]
    public static partial int GetRlimit(int resource, out Rlimit limit);

    // Numbers of open_tree and later are the same on every architecture.
    public static int OpenTree(int directory, string path, uint flags)
    {
        fixed (byte* p = Encode(path)) return (int)Syscall(428, directory, (nint)p, (nint)flags, 0, 0);
    }

    public static int MoveMount(int from, string target)
    {
        fixed (byte* empty = Encode(""), t = Encode(target))
            return (int)Syscall(429, from, (nint)empty, AtFdCwd, (nint)t, 4 /* MOVE_MOUNT_F_EMPTY_PATH */);
    }

    public static int MountSetAttr(int fd, uint flags, MountAttr attribute)
    {
        fixed (byte* empty = Encode("")) return (int)Syscall(442, fd, (nint)empty, (nint)flags, (nint)(&attribute), sizeof(MountAttr));
    }

    public static int PidFdOpen(int pid) => (int)Syscall(434, pid, 0, 0, 0, 0);

    private static byte[] Encode(string text) => System.Text.Encoding.UTF8.GetBytes(text + "\0");

    /// <summary>Throws with the name of the call and errno when <paramref name="result"/> says that it failed.</summary>
    public static int Check(int result, string call) => result >= 0 ? result : throw new HostException(call, Marshal.GetLastPInvokeError());

    [StructLayout(LayoutKind.Sequential)]
    public struct MountAttr
    {
        public ulong Set, Clear, Propagation, UserNamespace;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct Rlimit
    {
        public ulong Current, Maximum;
    }

    /// <summary>struct epoll_event: packed on x86-64 only.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct EpollEvent
    {
        private fixed uint _words[4];
        public static bool Packed => RuntimeInformation.ProcessArchitecture == Architecture.X64;

        public static void Write(byte* at, uint events, int fd)
        {
            *(uint*)at = events;
            *(long*)(at + (Packed ? 4 : 8)) = fd;
        }

        public static int Fd(byte* at) => (int)*(long*)(at + (Packed ? 4 : 8));
        public static int Size => Packed ? 12 : 16;
    }
}
