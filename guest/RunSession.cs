using Corral.GuestLink;

namespace Corral.Guest;

/// <summary>A command that runs whoever listens: its last output and its end are kept, for clients that come, or come back.</summary>
/// <remarks>
/// One loop carries its bytes and those of all who follow it; it is run by the thread of the connection that started it, and once that has
/// nothing more to do by that of one that comes later. Nothing in it blocks. A command on pipes waits for its foremost follower: to that
/// one nothing is lost. Every other follower, and all of a terminal, are waited for only so long, and left behind then, which they are told.
/// </remarks>
internal sealed unsafe class RunSession(GuestRequest request)
{
    private const int MostViewers = 16;
    private const int LogSize = 1024 * 1024;
    private const int PieceSize = 32 * 1024;

    // At an end both pipes may still be full: there is room for that without waiting for anybody.
    private const int Spare = 160 * 1024;
    private const long Hold = 250;
    private const int CommandFds = 5;

    private readonly Lock _gate = new();
    private readonly List<RunViewer> _arrived = [];
    private readonly List<RunViewer> _viewers = [];
    private readonly OutputLog _log = new(LogSize);
    private readonly CommandCourse _course = new(request.TimeoutMs);
    private Command? _command;
    private GuestExit? _exit;
    private long _heldSince = -1;

    // Under the gate.
    private bool _isServed = true;
    private bool _neverRan;
    private int _wake = -1;

    /// <summary>What is told of it.</summary>
    public GuestRun Told
    {
        get => Volatile.Read(ref field);
        private set => Volatile.Write(ref field, value);
    } = new(request.Run!, Guid.NewGuid().ToString("N"), request.Tag, IsOver: false, request.Columns, request.Rows);

    /// <summary>As of <see cref="Environment.TickCount64"/>, once it is over.</summary>
    public long EndedAt { get; private set; }

    /// <summary>Starts the command and serves all that follow it, to its end. False when it could not be started.</summary>
    public bool Start(RunViewer first, int socket, IReadOnlyDictionary<string, string> environment)
    {
        (_command, var error) = Command.Start(request, environment);
        if (_command is null)
        {
            ExecSession.Refuse(request, error, socket);
            Abandon();
            return false;
        }

        Take(first);
        Serve();
        return true;
    }

    /// <summary>Returns when the viewer has been told all, or is gone.</summary>
    public void Follow(RunViewer viewer)
    {
        if (Enter(viewer))
        {
            Serve();
        }

        viewer.Wait();
    }

    // Whether nobody else serves.
    private bool Enter(RunViewer viewer)
    {
        lock (_gate)
        {
            if (_neverRan || _viewers.Count + _arrived.Count >= MostViewers)
            {
                viewer.Refuse(_neverRan ? "no_run" : "too_many_viewers", _neverRan ? "The command could not be started." : $"{MostViewers} clients follow it already.");
                return false;
            }

            _arrived.Add(viewer);
            Wake();
            var mine = !_isServed;
            _isServed = true;
            return mine;
        }
    }

    private void Abandon()
    {
        lock (_gate)
        {
            _neverRan = true;
            _arrived.ForEach(viewer => viewer.Refuse("no_run", "The command could not be started."));
            _arrived.Clear();
        }
    }

    private void Serve()
    {
        var piece = stackalloc byte[PieceSize];
        var fds = stackalloc Libc.PollFd[CommandFds + MostViewers];
        lock (_gate)
        {
            _wake = Libc.eventfd(0, Libc.OCloexec | Libc.ONonblock);
        }

        do
        {
            Advance();
            if (_command is not null || _viewers.Count > 0)
            {
                Step(fds, new Span<byte>(piece, PieceSize));
            }
        }
        while (!TryLeave());
    }

    private bool TryLeave()
    {
        lock (_gate)
        {
            if (_exit is null || _viewers.Count + _arrived.Count > 0)
            {
                return false;
            }

            _ = Libc.close(_wake);
            _wake = -1;
            _isServed = false;
            return true;
        }
    }

    private void Wake()
    {
        var one = 1UL;
        _ = _wake < 0 ? 0 : Libc.write(_wake, (byte*)&one, sizeof(ulong));
    }

    // At no moment is it counted in neither list: there is room for so many only.
    private void Take(RunViewer viewer)
    {
        viewer.Begin(_log, Told);
        lock (_gate)
        {
            _arrived.Remove(viewer);
            _viewers.Add(viewer);
        }
    }

    private void Advance()
    {
        RunViewer[] arrived;
        lock (_gate)
        {
            arrived = [.. _arrived];
        }

        Array.ForEach(arrived, Take);
        for (var i = _viewers.Count - 1; i >= 0; i--)
        {
            if (!_viewers[i].Advance(_log, Told, _exit))
            {
                Remove(_viewers[i]);
            }
        }
    }

    private void Remove(RunViewer viewer)
    {
        lock (_gate)
        {
            _viewers.Remove(viewer);
        }

        if (viewer.IsNeeded)
        {
            // Half an input is no input: what it would be taken for is not what was meant.
            _command?.Signal(Libc.Sigkill, last: true);
        }

        viewer.Leave();
    }

    private void Step(Libc.PollFd* fds, Span<byte> piece)
    {
        var open = _command is not null && HasRoom();
        Watch(fds, open);
        var count = _viewers.Count;
        if (Libc.poll(fds, (ulong)(CommandFds + count), Patience()) < 0)
        {
            return;
        }

        if (fds[0].Revents != 0)
        {
            ulong counted;
            _ = Libc.read(_wake, (byte*)&counted, sizeof(ulong));
        }

        HearAll(fds + CommandFds, count);
        if (_command is { } command)
        {
            Carry(command, fds, piece);
            if (_course.Ended && _course.IsDrained(command, silent: open && fds[1].Revents == 0))
            {
                End(command);
            }
        }
    }

    private void Watch(Libc.PollFd* fds, bool open)
    {
        fds[0] = new Libc.PollFd { Fd = _wake, Events = Libc.PollIn };
        fds[1] = new Libc.PollFd { Fd = open && _course.WantsOut ? _command!.Out : -1, Events = Libc.PollIn };
        fds[2] = new Libc.PollFd { Fd = open && _course.WantsErr ? _command!.Err : -1, Events = Libc.PollIn };
        fds[3] = new Libc.PollFd { Fd = _command is null || _course.Ended ? -1 : _command.Ended, Events = Libc.PollIn };
        fds[4] = new Libc.PollFd { Fd = _viewers.Exists(viewer => viewer.Client.HasInput) ? _command?.In ?? -1 : -1, Events = Libc.PollOut };
        for (var i = 0; i < _viewers.Count; i++)
        {
            fds[CommandFds + i] = _viewers[i].Watch(hears: _command is not null && !_course.Ended);
        }
    }

    private int Patience()
    {
        // The rest of what somebody sent who is gone lies in the socket, which nothing tells of any more.
        var patience = _viewers.Exists(viewer => viewer.HasLeft && !viewer.Client.HasInput) ? 0 : _command is null ? -1 : _course.Patience;
        var held = _heldSince < 0 ? -1 : _heldSince + Hold - _course.Now;
        return held < 0 ? patience : patience < 0 ? (int)held : (int)Math.Min(held, patience);
    }

    private void HearAll(Libc.PollFd* fds, int count)
    {
        for (var i = count - 1; i >= 0; i--)
        {
            var viewer = _viewers[i];
            var gone = viewer.HasLeft || (fds[i].Revents & (Libc.PollRdhup | Libc.PollHup | Libc.PollErr)) != 0;
            var lost = (gone || (fds[i].Revents & Libc.PollIn) != 0) && _command is not null && !viewer.Client.Hear(_command);
            if (gone && !lost && _command is not null && viewer.IsNeeded && viewer.Client.HasInput)
            {
                // It gave all that it had, perhaps, and closed: that is read as the command takes it.
                viewer.GoAway();
            }
            else if (lost || gone)
            {
                Remove(viewer);
            }
        }

        if (_command is { HasTerminal: true } && _command.Size != (Told.Columns, Told.Rows))
        {
            Told = Told with { Columns = _command.Size.Columns, Rows = _command.Size.Rows };
            _viewers.ForEach(viewer => viewer.Resized(Told.Columns, Told.Rows));
        }
    }

    private void Carry(Command command, Libc.PollFd* fds, Span<byte> piece)
    {
        if (fds[4].Revents != 0)
        {
            _viewers.ForEach(viewer => viewer.Client.Feed(command));
        }

        if (fds[1].Revents != 0)
        {
            Carry(command, Frame.Stdout, piece);
        }

        if (fds[2].Revents != 0)
        {
            Carry(command, Frame.Stderr, piece);
        }

        if (fds[3].Revents != 0)
        {
            _course.BeginEnd(command);
        }

        _course.EnforceDeadline(command);
    }

    private void Carry(Command command, byte kind, Span<byte> piece)
    {
        if (_course.Carry(command, kind, piece) is > 0 and var count)
        {
            _log.Add(kind, piece[..count]);
        }
    }

    // Whether more may be read: not while that would take from a follower what it still wants.
    private bool HasRoom()
    {
        var late = _course.Ended ? [] : _viewers.FindAll(viewer => viewer.IsFollowing && !_log.HasRoom(viewer.Mark, PieceSize + Spare));
        if (late.Count == 0)
        {
            _heldSince = -1;
            return true;
        }

        _heldSince = _heldSince < 0 ? _course.Now : _heldSince;
        if (_course.Now - _heldSince < Hold)
        {
            return false;
        }

        var foremost = request.Columns > 0 ? null : _viewers.FindAll(viewer => viewer.IsFollowing).MaxBy(viewer => viewer.Mark.Position);
        late.FindAll(viewer => viewer != foremost).ForEach(viewer => viewer.LeaveBehind());
        return foremost is null || !late.Contains(foremost);
    }

    private void End(Command command)
    {
        _exit = _course.Exit(command.Status);
        _command = null;
        command.Dispose();
        EndedAt = Environment.TickCount64;
        Told = Told with { IsOver = true };
    }
}
