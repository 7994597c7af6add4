using Corral.GuestLink;

namespace Corral.Guest;

/// <summary>One command for one client: starts it, carries its bytes, and tells how it ended, once.</summary>
/// <remarks>
/// One loop waits for the client, both outputs, the end and the deadline; nothing in it blocks. A slow client slows the command and
/// nothing else. The client's going kills the command's whole process group.
/// </remarks>
internal sealed unsafe class ExecSession(GuestRequest request, int socket, FrameReader heard)
{
    private readonly CommandClient _client = new(socket, heard);
    private readonly CommandCourse _course = new(request.TimeoutMs);

    private Outbox Outbox => _client.Outbox;

    /// <summary>Runs it to its end. False when the client is gone, or broke the rules.</summary>
    public bool Run(IReadOnlyDictionary<string, string> environment)
    {
        var (command, error) = Command.Start(request, environment);
        if (command is null)
        {
            Refuse(request, error, socket);
            return true;
        }

        using (command)
        {
            var told = Pump(command);
            if (!told)
            {
                command.Signal(Libc.Sigkill, last: true);
            }

            return told;
        }
    }

    /// <summary>Tells why a command could not be started.</summary>
    public static void Refuse(GuestRequest request, int error, int socket)
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
            var open = Outbox.IsEmpty;
            fds[0] = _client.Watch(!_course.Ended);
            fds[1] = new Libc.PollFd { Fd = open && _course.WantsOut ? command.Out : -1, Events = Libc.PollIn };
            fds[2] = new Libc.PollFd { Fd = open && _course.WantsErr ? command.Err : -1, Events = Libc.PollIn };
            fds[3] = new Libc.PollFd { Fd = _course.Ended ? -1 : command.Ended, Events = Libc.PollIn };
            fds[4] = new Libc.PollFd { Fd = _client.HasInput ? command.In : -1, Events = Libc.PollOut };
            if (Libc.poll(fds, 5, _course.Ended && !open ? -1 : _course.Patience) < 0)
            {
                continue;
            }

            if ((fds[0].Revents & Libc.PollIn) != 0 && !_client.Hear(command))
            {
                return false;
            }

            // A client that closed its side wants no more, whatever else it sent before.
            if ((fds[0].Revents & (Libc.PollRdhup | Libc.PollHup | Libc.PollErr)) != 0 || !Outbox.Flush())
            {
                return false;
            }

            if (fds[4].Revents != 0)
            {
                _client.Feed(command);
            }

            if (fds[1].Revents != 0)
            {
                Carry(command, Frame.Stdout);
            }

            // One frame at a time: if standard output made one, standard error's turn comes when that is gone.
            if (fds[2].Revents != 0 && Outbox.IsEmpty)
            {
                Carry(command, Frame.Stderr);
            }

            if (!Outbox.Flush())
            {
                return false;
            }

            if (fds[3].Revents != 0)
            {
                _course.BeginEnd(command);
            }

            _course.EnforceDeadline(command);
            if (_course.Ended && Outbox.IsEmpty && _course.IsDrained(command, silent: open && fds[1].Revents == 0))
            {
                return Frames.Write(socket, Frame.Exit, _course.Exit(command.Status), GuestJson.Default.GuestExit);
            }
        }
    }

    private void Carry(Command command, byte kind)
    {
        if (_course.Carry(command, kind, Outbox.Room) is > 0 and var count)
        {
            Outbox.Commit(kind, count);
        }
    }
}
