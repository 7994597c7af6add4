using System.Buffers.Binary;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using Corral.GuestLink;

namespace Corral.Guest;

/// <summary>One command: starts it, carries its bytes, and tells how it ended, once.</summary>
/// <remarks>
/// One loop polls the client, both outputs and the end. Writing to the client blocks: a slow client slows the command
/// and nothing else. The client's going kills the command's whole process group.
/// </remarks>
internal sealed unsafe class ExecSession(GuestRequest request, Dictionary<string, string> environment, int socket)
{
    private const int Setfl = 4;
    private const int TermGrace = 500;

    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly byte[] _buffer = new byte[32 * 1024];
    private int _in = -1;
    private int _out = -1;
    private int _err = -1;
    private int _ended = -1;
    private int _pid;
    private int _status;
    private volatile bool _timedOut;
    private byte[] _pending = [];
    private int _pendingFrom;

    public void Run()
    {
        _ended = Libc.eventfd(0, Libc.OCloexec | Libc.ONonblock);
        var given = Start();
        foreach (var fd in given.Where(fd => fd >= 0))
        {
            Libc.close(fd);
        }

        if (_pid < 0)
        {
            var message = -_pid == 2 ? $"The working directory {request.Path} does not exist." : "The sandbox has no room for another process.";
            Frames.Fail(socket, -_pid == 2 ? "not_found" : "other", message);
        }
        else
        {
            using var timeout = request.TimeoutMs > 0 ? new Timer(_ => TimeOut(), null, request.TimeoutMs, Timeout.Infinite) : null;
            Pump();
        }

        foreach (var fd in new[] { _in, _out == _in ? -1 : _out, _err, _ended }.Where(fd => fd >= 0))
        {
            Libc.close(fd);
        }
    }

    // Returns the descriptors that only the command needs.
    private int[] Start()
    {
        var spawn = new Spawn
        {
            Command = request.Shell ? ["/bin/bash", "-c", request.Command[0]] : request.Command,
            Environment = environment,
            Root = request.Root,
            Directory = request.Path is { Length: > 0 } path ? Path.Combine("/workspace", path) : "/workspace",
        };
        if (request is { Columns: > 0, Rows: > 0 })
        {
            var name = OpenTerminal();
            _pid = name is null ? -Libc.Eagain : Launch(spawn with { Terminal = name });
            return [];
        }

        int* pipes = stackalloc int[6];
        if (Libc.pipe2(pipes, Libc.OCloexec) != 0 || Libc.pipe2(pipes + 2, Libc.OCloexec) != 0 || Libc.pipe2(pipes + 4, Libc.OCloexec) != 0)
        {
            _pid = -Libc.Eagain;
            return [];
        }

        (_in, _out, _err) = (pipes[1], pipes[2], pipes[4]);
        _pid = Launch(spawn with { Stdin = pipes[0], Stdout = pipes[3], Stderr = pipes[5] });
        foreach (var fd in new[] { _in, _out, _err })
        {
            _ = Libc.fcntl(fd, Setfl, Libc.ONonblock);
        }

        return [pipes[0], pipes[3], pipes[5]];
    }

    private int Launch(Spawn spawn) => Reaper.Spawn(() => Spawner.Start(spawn), status =>
    {
        _status = status;
        var one = 1UL;
        _ = Libc.write(_ended, (byte*)&one, sizeof(ulong));
    });

    private string? OpenTerminal()
    {
        var master = Libc.posix_openpt(Libc.ORdwr | Libc.ONoctty | Libc.OCloexec);
        byte* name = stackalloc byte[128];
        if (master < 0 || Libc.grantpt(master) != 0 || Libc.unlockpt(master) != 0 || Libc.ptsname_r(master, name, 128) != 0)
        {
            return null;
        }

        _in = _out = master;
        Resize(request.Columns, request.Rows);
        _ = Libc.fcntl(master, Setfl, Libc.ONonblock);
        return Marshal.PtrToStringUTF8((nint)name);
    }

    private void Pump()
    {
        var fds = stackalloc Libc.PollFd[5];
        while (true)
        {
            // A client whose last bytes the command has not taken yet is not read further.
            var full = _pendingFrom < _pending.Length;
            fds[0] = new Libc.PollFd { Fd = socket, Events = full ? (short)0 : Libc.PollIn };
            fds[1] = new Libc.PollFd { Fd = _out, Events = Libc.PollIn };
            fds[2] = new Libc.PollFd { Fd = _err, Events = Libc.PollIn };
            fds[3] = new Libc.PollFd { Fd = _ended, Events = Libc.PollIn };
            fds[4] = new Libc.PollFd { Fd = full ? _in : -1, Events = Libc.PollOut };
            if (Libc.poll(fds, 5, -1) < 0)
            {
                continue;
            }

            if ((fds[1].Revents != 0 && !Carry(ref _out, Frame.Stdout)) || (fds[2].Revents != 0 && !Carry(ref _err, Frame.Stderr)))
            {
                Libc.kill(-_pid, Libc.Sigkill);
                return;
            }

            if (fds[3].Revents != 0)
            {
                Finish();
                return;
            }

            if (fds[4].Revents != 0)
            {
                Feed();
            }

            if (fds[0].Revents != 0 && (!full || (fds[0].Revents & (Libc.PollHup | Libc.PollErr)) != 0) && !Hear())
            {
                Libc.kill(-_pid, Libc.Sigkill);
                return;
            }
        }
    }

    // Everything that the command itself wrote is in the pipes by now; what others still hold them open for is not waited for.
    private void Finish()
    {
        while (_out >= 0 && CarryOnce(ref _out, Frame.Stdout) > 0)
        {
        }

        while (_err >= 0 && CarryOnce(ref _err, Frame.Stderr) > 0)
        {
        }

        var signal = _status & 0x7f;
        Frames.Write(
            socket, Frame.Exit,
            new GuestExit { Code = signal == 0 ? (_status >> 8) & 0xff : 0, Signal = signal, TimedOut = _timedOut, DurationMs = _clock.ElapsedMilliseconds },
            GuestJson.Default.GuestExit);
    }

    // False when the client is gone.
    private bool Carry(ref int fd, byte kind) => CarryOnce(ref fd, kind) >= 0;

    // 1: carried some, 0: nothing there or closed, -1: the client is gone.
    private int CarryOnce(ref int fd, byte kind)
    {
        nint count;
        fixed (byte* start = _buffer)
        {
            count = Libc.read(fd, start, (nuint)_buffer.Length);
        }

        if (count > 0)
        {
            return Frames.Write(socket, kind, _buffer.AsSpan(0, (int)count)) ? 1 : -1;
        }

        if (count < 0 && Marshal.GetLastPInvokeError() is Libc.Eagain or Libc.Eintr)
        {
            return 0;
        }

        // The end of a pipe; a terminal whose last holder is gone says so with an error.
        if (fd != _in)
        {
            Libc.close(fd);
        }

        fd = -1;
        return 0;
    }

    // False when the client is gone or breaks the rules.
    private bool Hear()
    {
        if (!Frames.Read(socket, out var kind, out var payload))
        {
            return false;
        }

        switch (kind)
        {
            case Frame.Stdin:
                _pending = payload;
                _pendingFrom = 0;
                Feed();
                return true;
            case Frame.CloseStdin:
                CloseStdin();
                return true;
            case Frame.Signal when payload is [> 0 and <= 64 and var signal]:
                Libc.kill(-_pid, signal);
                return true;
            case Frame.Resize when payload.Length == 4:
                Resize(BinaryPrimitives.ReadUInt16LittleEndian(payload), BinaryPrimitives.ReadUInt16LittleEndian(payload.AsSpan(2)));
                return true;
            default:
                return false;
        }
    }

    private void Feed()
    {
        while (_in >= 0 && _pendingFrom < _pending.Length)
        {
            nint count;
            fixed (byte* start = _pending)
            {
                count = Libc.write(_in, start + _pendingFrom, (nuint)(_pending.Length - _pendingFrom));
            }

            if (count > 0)
            {
                _pendingFrom += (int)count;
            }
            else if (Marshal.GetLastPInvokeError() == Libc.Eagain)
            {
                return;
            }
            else
            {
                // The command reads no more.
                CloseStdin();
            }
        }

        _pending = [];
        _pendingFrom = 0;
    }

    private void CloseStdin()
    {
        if (_in < 0)
        {
            return;
        }

        if (_in == _out)
        {
            // A terminal's end of input is Ctrl-D.
            byte end = 4;
            _ = Libc.write(_in, &end, 1);
            return;
        }

        Libc.close(_in);
        _in = -1;
    }

    private void Resize(int columns, int rows)
    {
        var size = stackalloc ushort[4];
        (size[0], size[1]) = ((ushort)rows, (ushort)columns);
        _ = Libc.ioctl(_in, Libc.Tiocswinsz, size);
    }

    private void TimeOut()
    {
        _timedOut = true;
        Libc.kill(-_pid, Libc.Sigterm);
        Thread.Sleep(TermGrace);
        Libc.kill(-_pid, Libc.Sigkill);
    }
}
