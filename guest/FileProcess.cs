using System.Text.Json;
using Corral.GuestLink;

namespace Corral.Guest;

/// <summary>
/// Has a file operation done by a process of its own, as the sandbox's user (its root where an owner is to change), with the connection as its input and output: the kernel
/// itself refuses what that user may not reach, whatever links and dots a path holds.
/// </summary>
internal static unsafe class FileProcess
{
    /// <summary>False when nobody knows whether it was answered: its process was killed.</summary>
    public static bool Run(GuestRequest request, int socket)
    {
        var command = new Spawn
        {
            Command = [Environment.ProcessPath ?? "/proc/1/exe", "file-op", JsonSerializer.Serialize(request, GuestJson.Default.GuestRequest)],
            Environment = new Dictionary<string, string> { ["LANG"] = "C.UTF-8" },
            Root = request is { Op: "permit", Root: true },
            Stdin = socket,
            Stdout = socket,
        };
        var (child, _) = Command.Start(command);
        if (child is null)
        {
            Frames.Fail(socket, "other", "The sandbox has no room for another process.");
            return true;
        }

        using (child)
        {
            // A write notices by itself, and clears away what it has written so far.
            Wait(child, request.Op == "write" ? -1 : socket);
            return child.Status == 0;
        }
    }

    // A client that leaves ends the operation, even one that waits for something that never comes.
    private static void Wait(Command child, int socket)
    {
        var fds = stackalloc Libc.PollFd[2];
        while (true)
        {
            fds[0] = new Libc.PollFd { Fd = socket, Events = Libc.PollRdhup };
            fds[1] = new Libc.PollFd { Fd = child.Ended, Events = Libc.PollIn };
            if (Libc.poll(fds, 2, -1) < 0)
            {
                continue;
            }

            if (fds[1].Revents != 0)
            {
                return;
            }

            if (fds[0].Revents != 0)
            {
                child.Signal(Libc.Sigkill);
                return;
            }
        }
    }
}
