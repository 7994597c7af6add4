using System.Diagnostics;
using Corral.GuestLink;

namespace Corral.Guest;

/// <summary>Tells a client what changes in a directory, or of a file.</summary>
/// <remarks>
/// What the kernel tells is read at once, whether the client keeps up or not: its changes wait in a bounded queue, and beyond it are lost,
/// which is told. The first change is told at once, those that follow it closely together. A file is watched through its directory, so that
/// one that is replaced by renaming is seen.
/// </remarks>
internal sealed unsafe class FileWatch : IDisposable
{
    private const int MaxWaiting = 4096;
    private const long Pace = 20;

    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly ChangeQueue _changes = new(MaxWaiting);
    private readonly Inotify _inotify;
    private readonly WatchTree _tree;
    private readonly Outbox _outbox;
    private readonly int _socket;
    private readonly string? _only;
    private long _next;
    private bool _over;

    private FileWatch(Inotify inotify, FilePath directory, bool recursive, string? only, int socket)
    {
        _inotify = inotify;
        _tree = new WatchTree(inotify, directory, recursive, _changes);
        _outbox = new Outbox(socket);
        _socket = socket;
        _only = only;
    }

    /// <summary>What a write in progress makes is nobody's business.</summary>
    public static bool IsHidden(string name) => name.StartsWith(FileWriter.TemporaryPrefix, StringComparison.Ordinal);

    public static void Run(FilePath path, bool recursive, int socket)
    {
        var isDirectory = FileStatus.Of(path.Real, follow: true).IsDirectory;
        // A directory may be a link to one; a file's name is what is watched, whatever it is.
        var directory = isDirectory ? path.Followed() : path.Parent();
        using var watch = new FileWatch(new Inotify(), directory, recursive && isDirectory, isDirectory ? null : "/" + path.Name, socket);
        watch.Open();
        watch.Pump();
    }

    public void Dispose() => _inotify.Dispose();

    private void Open()
    {
        var error = _inotify.Fd < 0 ? Libc.Emfile : _tree.Open();
        if (error != 0)
        {
            throw error is Libc.Enospc or Libc.Emfile ? new GuestFailure("too_many", "There are too many directories to watch") : GuestFailure.Of(error);
        }

        Frames.Write(_socket, Frame.Result, new GuestResult(), GuestJson.Default.GuestResult);
    }

    private void Pump()
    {
        var fds = stackalloc Libc.PollFd[2];
        while (!_over || !_outbox.IsEmpty || !_changes.IsEmpty)
        {
            fds[0] = new Libc.PollFd { Fd = _socket, Events = (short)(Libc.PollIn | Libc.PollRdhup | (_outbox.IsEmpty ? 0 : Libc.PollOut)) };
            fds[1] = new Libc.PollFd { Fd = _inotify.Fd, Events = Libc.PollIn };
            if (Libc.poll(fds, 2, Patience()) < 0)
            {
                continue;
            }

            if (fds[1].Revents != 0)
            {
                _inotify.Read().ForEach(Hear);
            }

            // The client has nothing more to say: whatever comes is its end, which not every kernel tells as a hang-up.
            if ((fds[0].Revents & (Libc.PollIn | Libc.PollRdhup | Libc.PollHup | Libc.PollErr)) != 0 || !Tell())
            {
                return;
            }
        }

        Frames.Write(_socket, Frame.End, []);
    }

    private int Patience() => !_outbox.IsEmpty || _changes.IsEmpty ? -1 : (int)Math.Max(0, _next - _clock.ElapsedMilliseconds);

    // False when the client is gone.
    private bool Tell()
    {
        if (_outbox.IsEmpty && !_changes.IsEmpty && _clock.ElapsedMilliseconds >= _next)
        {
            _outbox.Put(Frame.Changes, _changes.Take(), GuestJson.Default.GuestChanges);
            _next = _clock.ElapsedMilliseconds + Pace;
        }

        return _outbox.Flush();
    }

    private void Hear(InotifyEvent told)
    {
        if ((told.Mask & Inotify.Overflow) != 0)
        {
            _changes.Lose();
            _tree.Refresh();
        }
        else if ((told.Mask & Inotify.Ignored) != 0)
        {
            _tree.Ended(told.Watch);
        }
        else if (_tree.PathOf(told.Watch) is not { } directory)
        {
            // Of a directory that is watched no more.
        }
        else if (told.Name.Length > 0)
        {
            HearEntry(told.Mask, directory + "/" + told.Name, told.Name);
        }
        else if (directory.Length == 0)
        {
            HearRoot(told.Mask);
        }
    }

    private void HearEntry(uint mask, string path, string name)
    {
        if (IsHidden(name) || (_only is not null && path != _only))
        {
            return;
        }

        var kind = (mask & (Inotify.Create | Inotify.MovedTo)) != 0 ? ChangeQueue.Created
            : (mask & (Inotify.Delete | Inotify.MovedFrom)) != 0 ? ChangeQueue.Deleted
            : ChangeQueue.Modified;
        _changes.Add(_tree.Shown(path), kind);
        if ((mask & Inotify.IsDirectory) == 0 || kind == ChangeQueue.Modified)
        {
            return;
        }

        if (kind == ChangeQueue.Created)
        {
            _tree.DirectoryCame(path);
        }
        else
        {
            _tree.DirectoryWent(path);
        }
    }

    // The directory that was asked for: with its end, or under another name, there is nothing left to tell.
    private void HearRoot(uint mask)
    {
        if ((mask & (Inotify.DeleteSelf | Inotify.MoveSelf)) != 0)
        {
            _over = true;
        }

        if (_only is null)
        {
            _changes.Add(_tree.Shown(""), _over ? ChangeQueue.Deleted : ChangeQueue.Modified);
        }
    }
}
