using System.Collections.Concurrent;
using Corral.GuestLink;
using Corral.NodeAgent.Host.Cgroups;
using Corral.NodeAgent.Sandboxes;

namespace Corral.NodeAgent.Commands;

/// <summary>
/// Commands that run whoever listens. The guest keeps them, with their last output and their end, and outlives this process: here is only
/// who follows them, and that they are counted until they are over.
/// </summary>
internal sealed partial class LastingCommands(SandboxTable table, ICgroups cgroups, TimeProvider clock, ILogger<LastingCommands> log)
{
    private const int MaxVerdicts = 10_000;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    // By the start of a command: whoever asks later is told the same.
    private readonly ConcurrentDictionary<string, bool> _memoryRanOut = new(StringComparer.Ordinal);

    /// <summary>Starts a command and follows it as long as <paramref name="follow"/> takes; its answer is how the command ended, or null when it left before.</summary>
    public async Task<CommandExit?> StartAsync(Box box, CommandSpec spec, string run, Func<GuestStream, GuestPosition, Task<GuestExit?>> follow)
    {
        var counted = table.BeginCommand(box);
        GuestStream stream;
        GuestPosition position;
        try
        {
            // Not by the caller's patience: a command that was asked for and is heard of by nobody would be the worst.
            var kills = cgroups.OutOfMemoryKills(box.Name);
            (stream, position) = await BeginAsync(cancel => box.Guest.RunAsync(spec.Request with { Run = run, Tag = kills }, cancel));
        }
        catch
        {
            counted.Dispose();
            throw;
        }

        var feeding = spec.Request.Columns > 0 ? Task.CompletedTask : FeedAsync(stream, spec.Stdin);
        GuestExit? exit = null;
        try
        {
            exit = await follow(stream, position);
            return exit is null ? null : Describe(exit, position, box);
        }
        finally
        {
            _ = StayAsync(box, run, stream, feeding, counted, isOver: exit is not null);
        }
    }

    /// <summary>Follows a command that was started before.</summary>
    public async Task<CommandExit?> AttachAsync(Box box, GuestRequest request, Func<GuestStream, GuestPosition, Task<GuestExit?>> follow)
    {
        var (stream, position) = await BeginAsync(cancel => box.Guest.AttachAsync(request, cancel));
        await using (stream)
        {
            return await follow(stream, position) is { } exit ? Describe(exit, position, box) : null;
        }
    }

    /// <summary>Signals a command that was started before.</summary>
    public async Task SignalAsync(Box box, string run, int signal)
    {
        var (stream, position) = await BeginAsync(cancel => box.Guest.AttachAsync(new GuestRequest { Op = "attach", Run = run, Quiet = true }, cancel));
        await using (stream)
        {
            if (!position.IsOver) await stream.WriteAsync(Frame.Signal, new[] { (byte)signal }, CancellationToken.None);
        }
    }

    /// <summary>Counts what runs in a box that this process did not start.</summary>
    public async Task AdoptAsync(Box box, CancellationToken cancellationToken)
    {
        try
        {
            // Whoever has taken its guest over would keep the node from beginning.
            using var patience = new CancellationTokenSource(Patience, clock);
            using var both = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
            foreach (var run in await box.Guest.RunsAsync(both.Token))
            {
                if (!run.IsOver) _ = WatchAsync(box, run.Run, table.BeginCommand(box));
            }
        }
        catch (Exception problem) when (problem is GuestException || (problem is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            LogNotCounted(problem, box.Record.SandboxId);
        }
    }

    private async Task<(GuestStream Stream, GuestPosition Position)> BeginAsync(Func<CancellationToken, Task<GuestStream>> open)
    {
        using var patience = new CancellationTokenSource(Patience, clock);
        GuestStream? stream = null;
        try
        {
            stream = await open(patience.Token);
            return await stream.ReadAsync(patience.Token) is (Frame.Attached, var payload)
                ? (stream, GuestStream.ParsePosition(payload))
                : throw new GuestException("lost", "The guest broke the protocol.");
        }
        catch (Exception problem)
        {
            if (stream is not null) await stream.DisposeAsync();
            if (problem is OperationCanceledException) throw new GuestException("lost", "The guest does not answer.", problem);
            throw;
        }
    }

    private static async Task FeedAsync(GuestStream stream, ReadOnlyMemory<byte> input)
    {
        try
        {
            for (var rest = input; rest.Length > 0; rest = rest[Math.Min(rest.Length, Frame.MaxPayload)..])
                await stream.WriteAsync(Frame.Stdin, rest[..Math.Min(rest.Length, Frame.MaxPayload)], CancellationToken.None);
            await stream.WriteAsync(Frame.CloseStdin, default, CancellationToken.None);
        }
        catch (Exception problem) when (problem is GuestException or ObjectDisposedException)
        {
            // It reads no more, or is over.
        }
    }

    // Its caller is gone: its input is still given whole, and it is counted until it is over.
    private async Task StayAsync(Box box, string run, GuestStream stream, Task feeding, IDisposable counted, bool isOver)
    {
        await using (stream)
        {
            if (!isOver && !feeding.IsCompleted)
            {
                using var fed = new CancellationTokenSource();
                var discarding = stream.DiscardAsync(fed.Token);
                await Task.WhenAny(feeding, discarding);
                await fed.CancelAsync();
                await discarding;
            }
        }

        if (isOver) counted.Dispose();
        else await WatchAsync(box, run, counted);
    }

    private async Task WatchAsync(Box box, string run, IDisposable counted)
    {
        using (counted)
        {
            try
            {
                await AttachAsync(box, new GuestRequest { Op = "attach", Run = run, Quiet = true }, (stream, _) => ExitAsync(stream));
            }
            catch (GuestException)
            {
                // It is gone, with its sandbox or without.
            }
        }
    }

    private static async Task<GuestExit?> ExitAsync(GuestStream stream)
    {
        while (true)
        {
            if (await stream.ReadAsync(CancellationToken.None) is (Frame.Exit, var payload)) return GuestStream.ParseExit(payload);
        }
    }

    private CommandExit Describe(GuestExit exit, GuestPosition position, Box box) => CommandExit.Of(exit, () =>
    {
        if (_memoryRanOut.Count >= MaxVerdicts) _memoryRanOut.Clear();
        return _memoryRanOut.GetOrAdd(position.Session, _ => cgroups.OutOfMemoryKills(box.Name) > position.Tag);
    });

    [LoggerMessage(Level = LogLevel.Warning, Message = "What runs in sandbox {SandboxId} could not be asked for; it is not counted.")]
    private partial void LogNotCounted(Exception problem, string sandboxId);
}
