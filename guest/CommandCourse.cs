using System.Diagnostics;
using Corral.GuestLink;

namespace Corral.Guest;

/// <summary>How far a command has come: its time, and what is still to be read of it once it has ended.</summary>
internal sealed unsafe class CommandCourse(long timeoutMs)
{
    private const long TermGrace = 500;
    private const long TerminalTail = 20;
    private const int TerminalTailBytes = 256 * 1024;

    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private long _deadline = timeoutMs > 0 ? timeoutMs : long.MaxValue;
    private long _tailEnds;
    private bool _timedOut;
    private int _outLeft = int.MaxValue;
    private int _errLeft = int.MaxValue;

    /// <summary>Whether the command itself has ended.</summary>
    public bool Ended { get; private set; }

    public long Now => _clock.ElapsedMilliseconds;

    /// <summary>How long nothing needs to be done if nothing happens, as of poll(2).</summary>
    public int Patience
    {
        get
        {
            var next = Ended ? _tailEnds : _deadline;
            return next == long.MaxValue ? -1 : (int)Math.Clamp(next - Now, 0, int.MaxValue);
        }
    }

    public bool WantsOut => _outLeft > 0;

    public bool WantsErr => _errLeft > 0;

    /// <summary>Reads what the command wrote: how many bytes, 0 when there is nothing now, or nothing any more.</summary>
    public int Carry(Command command, byte kind, Span<byte> room)
    {
        var (fd, left) = kind == Frame.Stdout ? (command.Out, _outLeft) : (command.Err, _errLeft);
        var count = Libc.Read(fd, room[..Math.Min(room.Length, left)]);
        if (count > 0)
        {
            Count(kind, count);
            return count;
        }

        // The end of a pipe; a terminal whose last holder is gone says so with an error.
        if (count == 0 || Libc.LastError != Libc.Eagain)
        {
            (kind == Frame.Stdout ? (Action)command.CloseOut : command.CloseErr)();
        }

        return 0;
    }

    public void EnforceDeadline(Command command)
    {
        if (Ended || Now < _deadline)
        {
            return;
        }

        command.Signal(_timedOut ? Libc.Sigkill : Libc.Sigterm, last: true);
        _deadline = _timedOut ? long.MaxValue : Now + TermGrace;
        _timedOut = true;
    }

    /// <summary>
    /// The command has ended. What it wrote itself is in the pipes by now, and that much is carried: not what others, who still hold them
    /// open, go on writing. A terminal hands over what was written to it a moment later, and says when nobody holds it any more.
    /// </summary>
    public void BeginEnd(Command command)
    {
        Ended = true;
        _outLeft = command.HasTerminal ? TerminalTailBytes : Waiting(command.Out);
        _errLeft = Waiting(command.Err);
        _tailEnds = command.HasTerminal ? Now + TerminalTail : long.MaxValue;
    }

    /// <summary>Whether all of it has been read.</summary>
    /// <param name="command">It has ended.</param>
    /// <param name="silent">Its output was just waited for, and there was none.</param>
    public bool IsDrained(Command command, bool silent) =>
        (command.Out < 0 || _outLeft <= 0 || (command.HasTerminal && silent && Now >= _tailEnds)) && (command.Err < 0 || _errLeft <= 0);

    public GuestExit Exit(int status)
    {
        var signal = status & 0x7f;
        return new GuestExit { Code = signal == 0 ? (status >> 8) & 0xff : 0, Signal = signal, TimedOut = _timedOut, DurationMs = Now };
    }

    private void Count(byte kind, int count)
    {
        if (!Ended)
        {
            return;
        }

        _tailEnds = _tailEnds == long.MaxValue ? long.MaxValue : Now + TerminalTail;
        if (kind == Frame.Stdout)
        {
            _outLeft -= count;
        }
        else
        {
            _errLeft -= count;
        }
    }

    private static int Waiting(int fd)
    {
        int count;
        return fd >= 0 && Libc.ioctl(fd, Libc.Fionread, &count) == 0 ? count : 0;
    }
}
