using System.Buffers.Binary;
using Corral.GuestLink;

namespace Corral.Guest;

/// <summary>Who follows a run: where it is in the run's output, and what is on its way to it.</summary>
internal sealed class RunViewer(GuestRequest request, int socket) : IDisposable
{
    // What was written last is seen by everybody, left behind or not.
    private const int LastSize = 64 * 1024;

    private readonly CommandClient _client = new(socket, new FrameReader());
    private readonly ManualResetEventSlim _done = new(false);
    private GuestPosition? _attached;
    private (int Columns, int Rows)? _resized;
    private bool _isQuiet;
    private bool _over;

    /// <summary>Whether it is to be waited for: not once it was left behind, until it takes something again.</summary>
    public bool IsFollowing { get; private set; }

    public LogMark Mark { get; private set; }

    public CommandClient Client => _client;

    /// <summary>Whether it is gone. What it sent before may still be on its way to the command; nothing is told to it.</summary>
    public bool HasLeft { get; private set; }

    /// <summary>Whether the run ends with its going: it started it, and has not given all of its input yet.</summary>
    public bool IsNeeded => request is { Op: "run", Columns: 0 } && !_client.ClosedInput;

    /// <summary>Begins at the place that was asked for.</summary>
    public void Begin(OutputLog log, GuestRun run)
    {
        _isQuiet = request.Quiet;
        Mark = _isQuiet ? log.End
            : request.Session is null || request.Session == run.Session ? Resumed(log)
            : log.AfterBytes(log.End.Offset - request.Length);
        IsFollowing = !_isQuiet;
        _attached = Position(run);
    }

    public void Resized(int columns, int rows) => _resized = (columns, rows);

    /// <summary>It is waited for no more.</summary>
    public void LeaveBehind() => IsFollowing = false;

    /// <summary>It is gone, and what it sent is still to be heard.</summary>
    public void GoAway() => (HasLeft, IsFollowing) = (true, false);

    /// <summary>What to wait for.</summary>
    public Libc.PollFd Watch(bool hears) => HasLeft ? new Libc.PollFd { Fd = -1 } : _client.Watch(hears);

    /// <summary>Sends what comes next, if it takes it. False when it is gone, or was told all.</summary>
    public bool Advance(OutputLog log, GuestRun run, GuestExit? exit)
    {
        while (!HasLeft && _client.Outbox.Flush())
        {
            if (!_client.Outbox.IsEmpty)
            {
                return true;
            }

            IsFollowing = !_isQuiet;
            if (_over)
            {
                return false;
            }

            if (!Next(log, run, exit))
            {
                return true;
            }
        }

        if (exit is not null || !IsNeeded)
        {
            return false;
        }

        GoAway();
        return true;
    }

    public void Leave()
    {
        // The peer hears of it now; the descriptor is the waiting thread's to close.
        _ = Libc.shutdown(socket, Libc.ShutBoth);
        _done.Set();
    }

    public void Refuse(string code, string message)
    {
        Frames.Fail(socket, code, message);
        Leave();
    }

    public void Wait() => _done.Wait();

    public void Dispose() => _done.Dispose();

    private LogMark Resumed(OutputLog log) => request.Offset > 0 ? log.AfterBytes(request.Offset) : log.AfterPieces(request.After);

    // Whether there was anything.
    private bool Next(OutputLog log, GuestRun run, GuestExit? exit)
    {
        var outbox = _client.Outbox;
        if (_attached is { } attached)
        {
            _attached = null;
            outbox.Put(Frame.Attached, attached, GuestJson.Default.GuestPosition);
        }
        else if (_resized is { } size)
        {
            _resized = null;
            BinaryPrimitives.WriteUInt16LittleEndian(outbox.Room, (ushort)size.Columns);
            BinaryPrimitives.WriteUInt16LittleEndian(outbox.Room[sizeof(ushort)..], (ushort)size.Rows);
            outbox.Commit(Frame.Resized, 2 * sizeof(ushort));
        }
        else if (!_isQuiet && Mark.Position < log.Start.Position)
        {
            // From the beginning of a piece: it has its number, and is told whole.
            (Mark, IsFollowing) = (log.AfterBytes(log.End.Offset - LastSize) with { Inside = 0 }, false);
            outbox.Put(Frame.Skipped, Position(run), GuestJson.Default.GuestPosition);
        }
        else if (!_isQuiet && Mark.Position < log.End.Position)
        {
            var mark = Mark;
            var length = log.Read(ref mark, outbox.Room, out var kind);
            Mark = mark;
            outbox.Commit(kind, length);
        }
        else if (exit is not null)
        {
            _over = true;
            outbox.Put(Frame.Exit, exit, GuestJson.Default.GuestExit);
        }
        else
        {
            return false;
        }

        return true;
    }

    private GuestPosition Position(GuestRun run) => new()
    {
        Session = run.Session,
        Tag = run.Tag,
        IsOver = run.IsOver,
        Sequence = Mark.Sequence,
        Offset = Mark.Offset + Mark.Inside,
        Columns = run.Columns,
        Rows = run.Rows,
    };
}
