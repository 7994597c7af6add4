using System.Buffers.Binary;
using System.Diagnostics;
using Corral.GuestLink;

namespace Corral.Guest;

/// <summary>One command: starts it, carries its bytes, and tells how it ended, once.</summary>
/// <remarks>
/// One loop waits for the client, both outputs, the end and the deadline; nothing in it blocks. A slow client slows the command and
/// nothing else. The client's going kills the command's whole process group.
/// </remarks>
internal sealed unsafe class ExecSession(GuestRequest request, int socket)
{
    private const int MsgDontwait = 0x40;
    private const long TermGrace = 500;
    private const long TerminalTail = 20;
    private const int TerminalTailBytes = 256 * 1024;

    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly Outbox _outbox = new(socket);
    private readonly FrameReader _heard = new();
    private byte[] _input = [];
    private int _inputFrom;
    private long _deadline = request.TimeoutMs > 0 ? request.TimeoutMs : long.MaxValue;
    private bool _timedOut;

    // Once it has ended: how much of each output is still carried.
    private bool _ended;
    private int _outLeft = int.MaxValue;
    private int _errLeft = int.MaxValue;

    private bool HasInput => _inputFrom < _input.Length;

    public void Run(IReadOnlyDictionary<string, string> environment)
    {
        var (command, error) = Command.Start(request, environment);
        if (command is null)
        {
            Refuse(error);
            return;
        }

        using (command)
        {
            if (!Pump(command))
            {
                command.Signal(Libc.Sigkill, last: true);
            }
        }
    }

    private void Refuse(int error)
    {
        var (code, message) = error switch
        {
            Libc.Enoent => ("not_found", $"The working directory {request.Path} does not exist."),
            Libc.Enotdir => ("not_directory", $"The working directory {request.Path} is not a directory."),
            Libc.Enametoolong or Libc.Eloop => ("invalid_path", "The working directory is not a valid path."),
            Libc.Eacces => ("permission_denied", $"The working directory {request.Path} cannot be entered."),
            Libc.E2big => ("too_long", "The arguments and the environment are too long."),
            _ => ("other", "The sandbox has no room for another process."),
        };
        Frames.Fail(socket, code, message);
    }

    // False when the client is gone or breaks the rules.
    private bool Pump(Command command)
    {
        var fds = stackalloc Libc.PollFd[5];
        while (true)
        {
            // Output is read only when the client took what was read before; input only when the command did.
            var open = _outbox.IsEmpty;
            var hears = !HasInput && !_ended;
            fds[0] = new Libc.PollFd { Fd = socket, Events = (short)(Libc.PollRdhup | (hears ? Libc.PollIn : 0) | (open ? 0 : Libc.PollOut)) };
            fds[1] = new Libc.PollFd { Fd = open && _outLeft > 0 ? command.Out : -1, Events = Libc.PollIn };
            fds[2] = new Libc.PollFd { Fd = open && _errLeft > 0 ? command.Err : -1, Events = Libc.PollIn };
            fds[3] = new Libc.PollFd { Fd = _ended ? -1 : command.Ended, Events = Libc.PollIn };
            fds[4] = new Libc.PollFd { Fd = HasInput ? command.In : -1, Events = Libc.PollOut };
            var ready = Libc.poll(fds, 5, Patience());
            if (ready < 0)
            {
                continue;
            }

            if ((fds[0].Revents & Libc.PollIn) != 0 && !Hear(command))
            {
                return false;
            }

            // A client that closed its side wants no more, whatever else it sent before.
            if ((fds[0].Revents & (Libc.PollRdhup | Libc.PollHup | Libc.PollErr)) != 0 || !_outbox.Flush())
            {
                return false;
            }

            if (fds[4].Revents != 0)
            {
                Feed(command);
            }

            if (fds[1].Revents != 0)
            {
                CarryOut(command);
            }

            // One frame at a time: if standard output made one, standard error's turn comes when that is gone.
            if (fds[2].Revents != 0 && _outbox.IsEmpty)
            {
                CarryErr(command);
            }

            if (!_outbox.Flush())
            {
                return false;
            }

            if (fds[3].Revents != 0)
            {
                BeginEnd(command);
            }

            EnforceDeadline(command);
            if (_ended && _outbox.IsEmpty && IsDrained(command, ready))
            {
                return TellExit(command.Status);
            }
        }
    }

    private int Patience() => _deadline == long.MaxValue || (_ended && !_outbox.IsEmpty) ? -1 : (int)Math.Clamp(_deadline - _clock.ElapsedMilliseconds, 0, int.MaxValue);

    private void EnforceDeadline(Command command)
    {
        if (_ended || _clock.ElapsedMilliseconds < _deadline)
        {
            return;
        }

        command.Signal(_timedOut ? Libc.Sigkill : Libc.Sigterm, last: true);
        _deadline = _timedOut ? long.MaxValue : _clock.ElapsedMilliseconds + TermGrace;
        _timedOut = true;
    }

    // What the command itself wrote is in the pipes by now, and that much is carried: not what others, who still hold them open, go on
    // writing. A terminal hands over what was written to it a moment later, and says when nobody holds it any more.
    private void BeginEnd(Command command)
    {
        _ended = true;
        var terminal = command.HasTerminal;
        _outLeft = terminal ? TerminalTailBytes : Waiting(command.Out);
        _errLeft = Waiting(command.Err);
        _deadline = terminal ? _clock.ElapsedMilliseconds + TerminalTail : long.MaxValue;
    }

    private bool IsDrained(Command command, int ready) =>
        (command.Out < 0 || _outLeft <= 0 || (command.HasTerminal && ready == 0)) && (command.Err < 0 || _errLeft <= 0);

    private bool TellExit(int status)
    {
        var signal = status & 0x7f;
        var exit = new GuestExit { Code = signal == 0 ? (status >> 8) & 0xff : 0, Signal = signal, TimedOut = _timedOut, DurationMs = _clock.ElapsedMilliseconds };
        return Frames.Write(socket, Frame.Exit, exit, GuestJson.Default.GuestExit);
    }

    private void CarryOut(Command command)
    {
        if (!Carry(command.Out, Frame.Stdout, ref _outLeft))
        {
            command.CloseOut();
        }
    }

    private void CarryErr(Command command)
    {
        if (!Carry(command.Err, Frame.Stderr, ref _errLeft))
        {
            command.CloseErr();
        }
    }

    // False at the end of a pipe; a terminal whose last holder is gone says so with an error.
    private bool Carry(int fd, byte kind, ref int left)
    {
        var count = Libc.Read(fd, _outbox.Room[..Math.Min(_outbox.Room.Length, left)]);
        if (count <= 0)
        {
            return count < 0 && Libc.LastError == Libc.Eagain;
        }

        _outbox.Commit(kind, count);
        left -= _ended ? count : 0;
        return true;
    }

    // False when the client is gone or breaks the rules.
    private bool Hear(Command command)
    {
        while (!HasInput)
        {
            var room = _heard.Room;
            nint count;
            fixed (byte* start = room)
            {
                count = Libc.recv(socket, start, (nuint)room.Length, MsgDontwait);
            }

            if (count <= 0)
            {
                return count < 0 && Libc.LastError is Libc.Eagain or Libc.Eintr;
            }

            var step = _heard.Advance((int)count);
            if (step == FrameStep.Broken || (step == FrameStep.Whole && !Obey(command, _heard.Take(out var kind), kind)))
            {
                return false;
            }
        }

        return true;
    }

    private bool Obey(Command command, byte[] payload, byte kind)
    {
        switch (kind)
        {
            case Frame.Stdin:
                (_input, _inputFrom) = (payload, 0);
                Feed(command);
                return true;
            case Frame.CloseStdin:
                command.CloseIn();
                return true;
            case Frame.Signal when payload is [> 0 and <= 64 and var signal]:
                command.Signal(signal);
                return true;
            case Frame.Resize when payload.Length == 4:
                command.Resize(BinaryPrimitives.ReadUInt16LittleEndian(payload), BinaryPrimitives.ReadUInt16LittleEndian(payload.AsSpan(2)));
                return true;
            default:
                return false;
        }
    }

    private void Feed(Command command)
    {
        while (command.In >= 0 && HasInput)
        {
            nint count;
            fixed (byte* start = _input)
            {
                count = Libc.write(command.In, start + _inputFrom, (nuint)(_input.Length - _inputFrom));
            }

            if (count > 0)
            {
                _inputFrom += (int)count;
            }
            else if (Libc.LastError == Libc.Eagain)
            {
                return;
            }
            else if (Libc.LastError != Libc.Eintr)
            {
                // The command reads no more.
                break;
            }
        }

        if (HasInput && !command.HasTerminal)
        {
            command.CloseIn();
        }

        (_input, _inputFrom) = ([], 0);
    }

    private static int Waiting(int fd)
    {
        int count;
        return fd >= 0 && Libc.ioctl(fd, Libc.Fionread, &count) == 0 ? count : 0;
    }
}
