using Corral.GuestLink;

namespace Corral.Guest;

/// <summary>What the guest does at a request.</summary>
internal static class Operations
{
    // Their answers are one frame, and nothing but their request is read.
    private static readonly string[] ShortOps = ["ping", "configure", "runs", "usage", "trust", "stat", "mkdir", "move", "delete", "copy", "permit"];

    private static readonly string[] FileOps = ["read", "write", "list", "stat", "mkdir", "move", "delete", "watch", "find", "copy", "permit"];

    private static readonly TimeSpan TrustPatience = TimeSpan.FromSeconds(5);
    private static readonly Lock Trusting = new();

    private static volatile Dictionary<string, string> _configured = [];

    /// <summary>Does it. False when nothing else can be asked on the same connection.</summary>
    public static bool Run(GuestRequest request, int socket, FrameReader heard)
    {
        if (Requests.Check(request) is { } wrong)
        {
            Frames.Fail(socket, wrong.Code, wrong.Message);
            return true;
        }

        if (request.Op == "exec" && request.Command.Count > 0)
        {
            return new ExecSession(request, socket, heard).Run(EnvironmentOf(request));
        }

        return Do(request, socket) && (request.Op == "exec" || ShortOps.Contains(request.Op));
    }

    // Whether it was answered.
    private static bool Do(GuestRequest request, int socket)
    {
        switch (request.Op)
        {
            case "ping":
                Answer(socket, new GuestResult());
                break;
            case "configure":
                Configure(request);
                Answer(socket, new GuestResult());
                break;
            case "run" when request.Command.Count > 0:
                RunTable.Start(request, socket, EnvironmentOf(request));
                break;
            case "attach":
                RunTable.Attach(request, socket);
                break;
            case "runs":
                Answer(socket, new GuestResult { Runs = RunTable.List() });
                break;
            case "usage":
                Answer(socket, new GuestResult { Processes = Usage.Threads(), Ports = Usage.Ports() });
                break;
            case "trust":
                InstallTrust(request, socket);
                break;
            case var op when FileOps.Contains(op):
                return FileProcess.Run(request, socket);
            default:
                Frames.Fail(socket, "other", "There is no such operation.");
                break;
        }

        return true;
    }

    private static void Configure(GuestRequest request)
    {
        _configured = new Dictionary<string, string>(request.Environment);
        if (request.Target is not { Length: > 0 } name)
        {
            return;
        }

        try
        {
            File.WriteAllText("/proc/sys/kernel/hostname", name);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Where it cannot be set, the name of the bundle stays.
        }
    }

    // Nothing of our own environment: what a command sees was given to it.
    private static Dictionary<string, string> EnvironmentOf(GuestRequest request)
    {
        var environment = new Dictionary<string, string>
        {
            ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            ["HOME"] = request.Root ? "/root" : "/workspace",
            ["USER"] = request.Root ? "root" : "user",
            ["LOGNAME"] = request.Root ? "root" : "user",
            ["SHELL"] = "/bin/bash",
            ["LANG"] = "C.UTF-8",
        };
        if (request.Columns > 0)
        {
            environment["TERM"] = "xterm-256color";
        }

        foreach (var (name, value) in _configured.Concat(request.Environment))
        {
            environment[name] = value;
        }

        return environment;
    }

    // One after the other; and a request that was given up must not undo what the next one did.
    private static void InstallTrust(GuestRequest request, int socket)
    {
        if (!Trusting.TryEnter(TrustPatience))
        {
            Frames.Fail(socket, "other", "Another certificate is being written.");
            return;
        }

        try
        {
            if (HasLeft(socket))
            {
                return;
            }

            TrustStore.Install(request.Certificate ?? "");
            Answer(socket, new GuestResult());
        }
        catch (FormatException exception)
        {
            Frames.Fail(socket, "other", exception.Message);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Frames.Fail(socket, exception.HResult == Libc.Enospc ? "no_space" : "other", "The certificate could not be written.");
        }
        finally
        {
            Trusting.Exit();
        }
    }

    private static unsafe bool HasLeft(int socket)
    {
        var fd = new Libc.PollFd { Fd = socket, Events = Libc.PollRdhup };
        return Libc.poll(&fd, 1, 0) > 0;
    }

    private static void Answer(int socket, GuestResult result) => Frames.Write(socket, Frame.Result, result, GuestJson.Default.GuestResult);
}
