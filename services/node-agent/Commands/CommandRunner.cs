using Corral.GuestLink;
using Corral.NodeAgent.Host.Cgroups;
using Corral.NodeAgent.Sandboxes;

namespace Corral.NodeAgent.Commands;

/// <summary>Runs commands in boxes, and counts them as long as they run.</summary>
internal sealed class CommandRunner(SandboxTable table, ICgroups cgroups, NodeTelemetry telemetry, TimeProvider clock)
{
    // The guest enforces a command's time. It shares the sandbox's processors with the tenant, and one that is starved may be very late.
    private static readonly TimeSpan GuestPatience = TimeSpan.FromSeconds(15);

    /// <summary>Runs a command with all its input given, and hands over each piece of its output.</summary>
    public async Task<CommandExit> RunAsync(Box box, CommandSpec spec, Func<byte, byte[], ValueTask> output, CancellationToken cancellationToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        return spec.Stdin.Length <= Frame.MaxPayload
            ? await RunAsync(box, spec, cancel => box.Guest.ExecAsync(spec.Request, spec.Stdin.Span, cancel), Nothing, output, _ => Task.CompletedTask, over)
            : await RunAsync(box, spec, cancel => box.Guest.ExecAsync(spec.Request, cancel), Nothing, output, stream => GiveAllAsync(stream, spec.Stdin, over.Token), over);
    }

    /// <summary>Runs a command whose input comes meanwhile. <paramref name="over"/> is cancelled when it has ended.</summary>
    public Task<CommandExit> RunAsync(
        Box box, CommandSpec spec, Func<ValueTask> started, Func<byte, byte[], ValueTask> output, Func<GuestStream, Task> input, CancellationTokenSource over) =>
        RunAsync(box, spec, cancel => box.Guest.ExecAsync(spec.Request, cancel), started, output, input, over);

    private async Task<CommandExit> RunAsync(
        Box box, CommandSpec spec, Func<CancellationToken, Task<GuestStream>> start, Func<ValueTask> started, Func<byte, byte[], ValueTask> output,
        Func<GuestStream, Task> input, CancellationTokenSource over)
    {
        var began = clock.GetTimestamp();
        using var patience = new ReadingPatience(LatestEnd(spec), clock, over.Token);
        try
        {
            return await CarryAsync(box, start, started, output, input, over, patience);
        }
        catch (Exception problem) when (patience.IsOver && problem is (OperationCanceledException or GuestException or IOException))
        {
            // The connection is closed by now, at which the guest kills the command as soon as it gets to it.
            return new CommandExit(CommandExit.TimedOutCode, null, TimedOut: true, OutOfMemory: false, (long)clock.GetElapsedTime(began).TotalMilliseconds);
        }
    }

    private static ValueTask Nothing() => ValueTask.CompletedTask;

    private static TimeSpan? LatestEnd(CommandSpec spec) =>
        spec.Request.TimeoutMs > 0 ? TimeSpan.FromMilliseconds(spec.Request.TimeoutMs) + GuestPatience : null;

    private async Task<CommandExit> CarryAsync(
        Box box, Func<CancellationToken, Task<GuestStream>> start, Func<ValueTask> started, Func<byte, byte[], ValueTask> output, Func<GuestStream, Task> input,
        CancellationTokenSource over, ReadingPatience patience)
    {
        using var phase = telemetry.Begin("exec");
        using var counted = table.BeginCommand(box);
        var killsBefore = cgroups.OutOfMemoryKills(box.Name);
        await using var stream = await start(over.Token);
        await started();
        // Beside the reading: a command may write before it has read all, and both sides would wait.
        var feeding = FeedAsync(input, stream);
        try
        {
            while (true)
            {
                var (kind, payload) = await patience.ReadAsync(stream);
                if (kind == Frame.Exit) return CommandExit.Of(GuestStream.ParseExit(payload), () => cgroups.OutOfMemoryKills(box.Name) > killsBefore);
                if (kind is Frame.Stdout or Frame.Stderr) await output(kind, payload);
            }
        }
        finally
        {
            await over.CancelAsync();
            await feeding.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            stream.Finish();
        }
    }

    private static async Task GiveAllAsync(GuestStream stream, ReadOnlyMemory<byte> input, CancellationToken cancellationToken)
    {
        for (var rest = input; rest.Length > 0; rest = rest[Math.Min(rest.Length, Frame.MaxPayload)..])
            await stream.WriteAsync(Frame.Stdin, rest[..Math.Min(rest.Length, Frame.MaxPayload)], cancellationToken);
        await stream.WriteAsync(Frame.CloseStdin, default, cancellationToken);
    }

    // A command that reads no more is not an error; whatever else breaks is seen by the reading side.
    private static async Task FeedAsync(Func<GuestStream, Task> input, GuestStream stream)
    {
        try
        {
            await input(stream);
        }
        catch (GuestException)
        {
        }
    }
}
