using Corral.GuestLink;

namespace Corral.Guest;

/// <summary>The runs by their names: those that go on, and for a while those that are over.</summary>
internal static class RunTable
{
    private const int Most = 128;
    private const int LongestName = 128;
    private const long Kept = 10 * 60 * 1000;

    private static readonly Lock Gate = new();
    private static readonly Dictionary<string, RunSession> Runs = new(StringComparer.Ordinal);

    /// <summary>Starts a run, and follows it. With the request's flag, one of its name that is over gives way.</summary>
    public static void Start(GuestRequest request, int socket, IReadOnlyDictionary<string, string> environment)
    {
        if (request.Run is not { Length: > 0 and <= LongestName } name)
        {
            Frames.Fail(socket, "other", "The run has no name.");
            return;
        }

        var run = new RunSession(request);
        if (TryAdd(name, run, request.Flag) is { } failure)
        {
            Frames.Fail(socket, failure.Code, failure.Message);
            return;
        }

        using var viewer = new RunViewer(request, socket);
        if (!run.Start(viewer, socket, environment))
        {
            lock (Gate)
            {
                Runs.Remove(name);
            }
        }
    }

    public static void Attach(GuestRequest request, int socket)
    {
        RunSession? run;
        lock (Gate)
        {
            Forget();
            Runs.TryGetValue(request.Run ?? "", out run);
        }

        if (run is null)
        {
            Frames.Fail(socket, "no_run", "There is no such command, or its end was too long ago.");
            return;
        }

        using var viewer = new RunViewer(request, socket);
        run.Follow(viewer);
    }

    public static List<GuestRun> List()
    {
        lock (Gate)
        {
            Forget();
            return [.. Runs.Values.Select(run => run.Told)];
        }
    }

    private static GuestError? TryAdd(string name, RunSession run, bool replaces)
    {
        lock (Gate)
        {
            Forget();
            if (Runs.TryGetValue(name, out var there) && !(replaces && there.Told.IsOver))
            {
                return new GuestError("run_exists", "A command of that name is there already.");
            }

            if (there is null && Runs.Count >= Most)
            {
                if (Runs.Where(entry => entry.Value.Told.IsOver).MinBy(entry => entry.Value.EndedAt) is not { Key: { } oldest })
                {
                    return new GuestError("too_many_runs", $"{Most} commands are running.");
                }

                Runs.Remove(oldest);
            }

            Runs[name] = run;
            return null;
        }
    }

    private static void Forget()
    {
        var before = Environment.TickCount64 - Kept;
        foreach (var (name, run) in Runs)
        {
            if (run.Told.IsOver && run.EndedAt < before)
            {
                Runs.Remove(name);
            }
        }
    }
}
