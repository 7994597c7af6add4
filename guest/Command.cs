using System.Runtime.InteropServices;
using Corral.GuestLink;

namespace Corral.Guest;

/// <summary>A command that runs, and our ends of what it reads and writes.</summary>
internal sealed unsafe class Command : IDisposable
{
    private const int Setfl = 4;
    private const uint TerminalGroup = 5;

    private readonly Lock _gate = new();

    // Our ends; -1 when closed. A terminal's output and input are one descriptor.
    private int _in = -1;
    private int _out = -1;
    private int _err = -1;
    private int _ended = -1;
    private int _pid;
    private volatile int _status;

    private Command()
    {
    }

    public int In => _in;

    public int Out => _out;

    public int Err => _err;

    /// <summary>Readable once it has ended.</summary>
    public int Ended => _ended;

    /// <summary>The terminal's size, if it has one.</summary>
    public (int Columns, int Rows) Size { get; private set; }

    public bool HasTerminal => _in >= 0 && _in == _out;

    /// <summary>As of waitpid; only after its end.</summary>
    public int Status => _status;

    /// <summary>The command, or the error number.</summary>
    public static (Command? Started, int Error) Start(GuestRequest request, IReadOnlyDictionary<string, string> environment)
    {
        var spawn = SpawnOf(request, environment);
        return Start(command => request is { Columns: > 0, Rows: > 0 } ? command.StartOnTerminal(spawn, request.Columns, request.Rows) : command.StartOnPipes(spawn));
    }

    /// <summary>Starts a program that has its own descriptors; the command, or the error number.</summary>
    public static (Command? Started, int Error) Start(Spawn spawn) => Start(command => command.Launch(spawn));

    public void Signal(int signal, bool last = false) => Reaper.Signal(_pid, signal, last);

    public void Resize(int columns, int rows)
    {
        var size = stackalloc ushort[4];
        (size[0], size[1]) = ((ushort)rows, (ushort)columns);
        _ = Libc.ioctl(_in, Libc.Tiocswinsz, size);
        Size = (columns, rows);
    }

    /// <summary>Tells the command that there is no more input.</summary>
    public void CloseIn()
    {
        if (HasTerminal)
        {
            // A terminal's end of input is Ctrl-D.
            byte end = 4;
            _ = Libc.write(_in, &end, 1);
        }
        else
        {
            Close(ref _in);
        }
    }

    public void CloseOut()
    {
        if (HasTerminal)
        {
            _in = -1;
        }

        Close(ref _out);
    }

    public void CloseErr() => Close(ref _err);

    public void Dispose()
    {
        CloseOut();
        Close(ref _in);
        Close(ref _err);
        lock (_gate)
        {
            Close(ref _ended);
        }
    }

    private static (Command? Started, int Error) Start(Func<Command, int> launch)
    {
        var command = new Command { _ended = Libc.eventfd(0, Libc.OCloexec | Libc.ONonblock) };
        var error = command._ended < 0 ? Libc.Emfile : launch(command);
        if (error == 0)
        {
            return (command, 0);
        }

        command.Dispose();
        return (null, error);
    }

    private static Spawn SpawnOf(GuestRequest request, IReadOnlyDictionary<string, string> environment)
    {
        var directory = request.Path is { Length: > 0 } path ? Path.Combine("/workspace", path) : "/workspace";
        var words = request.Shell ? ShellLine.TrySplit(request.Command[0], environment) : null;
        return new Spawn
        {
            Command = words ?? (request.Shell ? ShellLine.OfBash(request.Command[0]) : request.Command),
            // It says on the command's own standard error what is wrong, with 126 or 127; and it knows scripts that name no interpreter.
            Otherwise = request.Shell ? ShellLine.OfBash(request.Command[0]) : [ShellLine.Bash, "-c", "exec -- \"$0\" \"$@\"", .. request.Command],
            Environment = words is null ? environment : ShellLine.EnvironmentOf(environment, FilePath.TryRealPath(directory) is { Error: 0 } found ? found.Path : directory),
            Root = request.Root,
            Directory = directory,
        };
    }

    private int StartOnPipes(Spawn spawn)
    {
        int* pipes = stackalloc int[6];
        new Span<int>(pipes, 6).Fill(-1);
        var made = Libc.pipe2(pipes, Libc.OCloexec) == 0 && Libc.pipe2(pipes + 2, Libc.OCloexec) == 0 && Libc.pipe2(pipes + 4, Libc.OCloexec) == 0;
        (_in, _out, _err) = (pipes[1], pipes[2], pipes[4]);
        var error = made ? Launch(spawn with { Stdin = pipes[0], Stdout = pipes[3], Stderr = pipes[5] }) : Libc.LastError;
        foreach (var fd in new[] { _in, _out, _err })
        {
            _ = Libc.fcntl(fd, Setfl, Libc.ONonblock);
        }

        Close(ref pipes[0]);
        Close(ref pipes[3]);
        Close(ref pipes[5]);
        return error;
    }

    private int StartOnTerminal(Spawn spawn, int columns, int rows)
    {
        byte* name = stackalloc byte[128];
        var master = Libc.posix_openpt(Libc.ORdwr | Libc.ONoctty | Libc.OCloexec);
        _in = _out = master;
        if (master < 0 || Libc.grantpt(master) != 0 || Libc.unlockpt(master) != 0 || Libc.ptsname_r(master, name, 128) != 0)
        {
            return Libc.LastError;
        }

        Resize(columns, rows);
        _ = Libc.chown(name, spawn.Root ? 0u : UserThread.User, TerminalGroup);
        _ = Libc.fcntl(master, Setfl, Libc.ONonblock);
        return Launch(spawn with { Terminal = Marshal.PtrToStringUTF8((nint)name) });
    }

    private int Launch(Spawn spawn)
    {
        _pid = Reaper.Spawn(() => Spawner.Start(spawn), status =>
        {
            // Not after Dispose: the number may be another's descriptor by then.
            lock (_gate)
            {
                _status = status;
                var one = 1UL;
                _ = _ended < 0 ? 0 : Libc.write(_ended, (byte*)&one, sizeof(ulong));
            }
        });
        return _pid > 0 ? 0 : -_pid;
    }

    private static void Close(ref int fd)
    {
        if (fd >= 0)
        {
            _ = Libc.close(fd);
            fd = -1;
        }
    }
}
