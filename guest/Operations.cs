using System.Globalization;
using System.Text.Json;
using Corral.GuestLink;

namespace Corral.Guest;

/// <summary>What the guest does at a request.</summary>
internal static class Operations
{
    private static readonly string[] FileOps = ["read", "write", "list", "stat", "mkdir", "move", "delete"];

    private static volatile Dictionary<string, string> _configured = [];

    public static void Run(GuestRequest request, int socket)
    {
        switch (request.Op)
        {
            case "ping":
                Answer(socket, new GuestResult());
                break;
            case "configure":
                _configured = new Dictionary<string, string>(request.Environment);
                if (request.Target is { Length: > 0 } name)
                {
                    TrySetHostname(name);
                }

                Answer(socket, new GuestResult());
                break;
            case "exec":
                new ExecSession(request, EnvironmentOf(request), socket).Run();
                break;
            case "usage":
                Answer(socket, new GuestResult { Processes = CountThreads(), Ports = Ports() });
                break;
            case var op when FileOps.Contains(op):
                RunFileOperation(request, socket);
                break;
            default:
                Frames.Fail(socket, "other", "There is no such operation.");
                break;
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

    // In a process of its own, as the sandbox's user, with the connection as its input and output: the kernel itself
    // refuses what that user may not reach, whatever links and dots a path holds.
    private static void RunFileOperation(GuestRequest request, int socket)
    {
        using var ended = new ManualResetEventSlim();
        var pid = Reaper.Spawn(
            () => Spawner.Start(new Spawn
            {
                Command = [Environment.ProcessPath ?? "/proc/1/exe", "file-op", JsonSerializer.Serialize(request, GuestJson.Default.GuestRequest)],
                Environment = new Dictionary<string, string> { ["LANG"] = "C.UTF-8" },
                Root = false,
                Stdin = socket,
                Stdout = socket,
            }),
            _ => ended.Set());
        if (pid < 0)
        {
            Frames.Fail(socket, "other", "The sandbox has no room for another process.");
            return;
        }

        ended.Wait();
    }

    private static void Answer(int socket, GuestResult result) => Frames.Write(socket, Frame.Result, result, GuestJson.Default.GuestResult);

    private static void TrySetHostname(string name)
    {
        try
        {
            File.WriteAllText("/proc/sys/kernel/hostname", name);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Where it cannot be set, the name of the bundle stays.
        }
    }

    private static int CountThreads()
    {
        var count = 0;
        foreach (var process in Directory.EnumerateDirectories("/proc").Where(d => char.IsAsciiDigit(Path.GetFileName(d)[0])))
        {
            try
            {
                count += Directory.GetDirectories(process + "/task").Length;
            }
            catch (IOException)
            {
                // It ended meanwhile.
            }
            catch (UnauthorizedAccessException)
            {
                count++;
            }
        }

        return count;
    }

    private static List<int> Ports()
    {
        const string Listening = "0A";
        var ports = new SortedSet<int>();
        foreach (var table in new[] { "/proc/net/tcp", "/proc/net/tcp6" }.Where(File.Exists))
        {
            foreach (var fields in File.ReadLines(table).Skip(1).Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries)))
            {
                if (fields.Length > 3 && fields[3] == Listening
                    && int.TryParse(fields[1][(fields[1].LastIndexOf(':') + 1)..], NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var port))
                {
                    ports.Add(port);
                }
            }
        }

        return [.. ports];
    }
}
