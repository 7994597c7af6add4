using System.Runtime.InteropServices;

namespace Corral.Guest;

/// <summary>What the guest asks of the C library.</summary>
internal static unsafe class Libc
{
    public const int Sigkill = 9;
    public const int Sigterm = 15;
    public const short PollIn = 1;
    public const short PollOut = 4;
    public const short PollErr = 8;
    public const short PollHup = 16;
    public const short PollRdhup = 0x2000;
    public const int Eintr = 4;
    public const int Eagain = 11;
    public const int Echild = 10;
    public const int Enoent = 2;
    public const int E2big = 7;
    public const int Enoexec = 8;
    public const int Enomem = 12;
    public const int Eacces = 13;
    public const int Eexist = 17;
    public const int Exdev = 18;
    public const int Enotdir = 20;
    public const int Einval = 22;
    public const int Emfile = 24;
    public const int Enospc = 28;
    public const int Enametoolong = 36;
    public const int Enosys = 38;
    public const int Eloop = 40;
    public const int AtFdcwd = -100;
    public const int OCloexec = 0x80000;
    public const int ONonblock = 0x800;
    public const int ORdwr = 2;
    public const int ONoctty = 0x100;
    public const short SpawnResetIds = 0x01;
    public const short SpawnSetsid = 0x80;
    public const short SpawnSetsigmask = 0x08;
    public const short SpawnSetsigdef = 0x04;
    public const ulong Tiocswinsz = 0x5414;
    public const ulong Fionread = 0x541B;
    public const int ShutBoth = 2;
    public const int PrSetDumpable = 4;
    public const int PrSetChildSubreaper = 36;
    public const int PrSetNoNewPrivs = 38;

    /// <summary>The error number of this thread's last call.</summary>
    public static int LastError => Marshal.GetLastPInvokeError();

    [StructLayout(LayoutKind.Sequential)]
    public struct PollFd
    {
        public int Fd;
        public short Events;
        public short Revents;
    }

    /// <summary>By the thread's real ids.</summary>
    [DllImport("libc", SetLastError = true)]
    public static extern int access(byte* path, int mode);

    [DllImport("libc", SetLastError = true)]
    public static extern int poll(PollFd* fds, ulong count, int timeout);

    [DllImport("libc", SetLastError = true)]
    public static extern nint read(int fd, byte* buffer, nuint count);

    [DllImport("libc", SetLastError = true)]
    public static extern nint write(int fd, byte* buffer, nuint count);

    [DllImport("libc", SetLastError = true)]
    public static extern int close(int fd);

    [DllImport("libc", SetLastError = true)]
    public static extern int pipe2(int* fds, int flags);

    [DllImport("libc", SetLastError = true)]
    public static extern int fcntl(int fd, int command, int argument);

    [DllImport("libc", SetLastError = true)]
    public static extern int eventfd(uint initial, int flags);

    [DllImport("libc", SetLastError = true)]
    public static extern int waitpid(int pid, int* status, int options);

    [DllImport("libc", SetLastError = true)]
    public static extern int waitid(int kind, uint id, void* info, int options);

    [DllImport("libc", SetLastError = true)]
    public static extern nint send(int fd, byte* buffer, nuint count, int flags);

    [DllImport("libc", SetLastError = true)]
    public static extern nint recv(int fd, byte* buffer, nuint count, int flags);

    [DllImport("libc", SetLastError = true)]
    public static extern int shutdown(int fd, int how);

    [DllImport("libc", SetLastError = true)]
    public static extern byte* realpath(byte* path, byte* resolved);

    [DllImport("libc", SetLastError = true)]
    public static extern int statx(int directory, byte* path, int flags, uint mask, byte* status);

    [DllImport("libc", SetLastError = true)]
    public static extern int mkdir(byte* path, uint mode);

    [DllImport("libc", SetLastError = true)]
    public static extern int chown(byte* path, uint user, uint group);

    [DllImport("libc", SetLastError = true)]
    public static extern int renameat2(int fromDirectory, byte* from, int toDirectory, byte* to, uint flags);

    [DllImport("libc", SetLastError = true)]
    public static extern int rmdir(byte* path);

    [DllImport("libc", SetLastError = true)]
    public static extern int inotify_init1(int flags);

    [DllImport("libc", SetLastError = true)]
    public static extern int inotify_add_watch(int fd, byte* path, uint mask);

    [DllImport("libc", SetLastError = true)]
    public static extern int inotify_rm_watch(int fd, int watch);

    [DllImport("libc", SetLastError = true)]
    public static extern int kill(int pid, int signal);

    [DllImport("libc", SetLastError = true)]
    public static extern nint syscall(nint number, nint a, nint b, nint c);

    [DllImport("libc", SetLastError = true)]
    public static extern int prctl(int option, ulong a, ulong b, ulong c, ulong d);

    [DllImport("libc", SetLastError = true)]
    public static extern int posix_openpt(int flags);

    [DllImport("libc", SetLastError = true)]
    public static extern int grantpt(int fd);

    [DllImport("libc", SetLastError = true)]
    public static extern int unlockpt(int fd);

    [DllImport("libc", SetLastError = true)]
    public static extern int ptsname_r(int fd, byte* buffer, nuint length);

    [DllImport("libc", SetLastError = true)]
    public static extern int ioctl(int fd, ulong request, void* argument);

    [DllImport("libc")]
    public static extern int posix_spawn(int* pid, byte* path, void* actions, void* attributes, byte** argv, byte** envp);

    [DllImport("libc")]
    public static extern int posix_spawn_file_actions_init(void* actions);

    [DllImport("libc")]
    public static extern int posix_spawn_file_actions_destroy(void* actions);

    [DllImport("libc")]
    public static extern int posix_spawn_file_actions_adddup2(void* actions, int fd, int target);

    [DllImport("libc")]
    public static extern int posix_spawn_file_actions_addopen(void* actions, int fd, byte* path, int flags, uint mode);

    [DllImport("libc")]
    public static extern int posix_spawn_file_actions_addchdir_np(void* actions, byte* path);

    [DllImport("libc")]
    public static extern int posix_spawn_file_actions_addclosefrom_np(void* actions, int first);

    [DllImport("libc")]
    public static extern int posix_spawnattr_init(void* attributes);

    [DllImport("libc")]
    public static extern int posix_spawnattr_setflags(void* attributes, short flags);

    [DllImport("libc")]
    public static extern int posix_spawnattr_setsigmask(void* attributes, void* mask);

    [DllImport("libc")]
    public static extern int posix_spawnattr_setsigdefault(void* attributes, void* mask);

    [DllImport("libc")]
    public static extern int sigemptyset(void* set);

    [DllImport("libc")]
    public static extern int sigfillset(void* set);

    /// <summary>Writes all of it, or fails.</summary>
    public static bool WriteAll(int fd, ReadOnlySpan<byte> bytes)
    {
        fixed (byte* start = bytes)
        {
            nuint done = 0;
            while (done < (nuint)bytes.Length)
            {
                var count = write(fd, start + done, (nuint)bytes.Length - done);
                if (count > 0)
                {
                    done += (nuint)count;
                }
                else if (LastError != Eintr)
                {
                    return false;
                }
            }
        }

        return true;
    }

    /// <summary>Reads what there is; 0 at the end, below 0 for an error.</summary>
    public static int Read(int fd, Span<byte> bytes)
    {
        fixed (byte* start = bytes)
        {
            nint count;
            do
            {
                count = read(fd, start, (nuint)bytes.Length);
            }
            while (count < 0 && LastError == Eintr);
            return (int)count;
        }
    }
}
