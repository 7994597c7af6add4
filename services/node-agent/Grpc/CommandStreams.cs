using System.Text.RegularExpressions;
using System.Text.Unicode;
using Corral.Api.V1;
using Corral.GuestLink;
using Corral.Hosting;
using Corral.NodeAgent.Commands;
using Corral.NodeAgent.Sandboxes;
using Google.Protobuf;
using Grpc.Core;

namespace Corral.NodeAgent.Grpc;

/// <summary>Streams of commands that run whoever listens, and can be followed again from any piece of their output.</summary>
internal sealed partial class CommandStreams(LastingCommands commands, IHostApplicationLifetime lifetime)
{
    private const int DefaultSignal = 15;
    private static readonly TimeSpan Notice = TimeSpan.FromSeconds(1);

    public async Task StartAsync(Box box, CommandSpec spec, string execId, IAsyncStreamWriter<StreamResponse> writer, CancellationToken cancellationToken)
    {
        var name = execId.Length > 0 ? Checked(execId) : Ids.New("exec-");
        await StoppableAsync(async stop =>
        {
            var last = 0L;
            var exit = await commands.StartAsync(box, spec, RunOf(name), async (stream, position) =>
            {
                await writer.WriteAsync(new StreamResponse { Started = new Started { ExecId = name } }, stop);
                return await FollowAsync(stream, position.Sequence, step =>
                {
                    last = step.Sequence;
                    return writer.WriteAsync(step.Kind switch
                    {
                        Frame.Stdout => new StreamResponse { Stdout = step.ToOutput() },
                        Frame.Stderr => new StreamResponse { Stderr = step.ToOutput() },
                        _ => new StreamResponse { Dropped = step.ToDropped() },
                    }, stop);
                }, stop);
            });
            if (exit is { } over) await writer.WriteAsync(new StreamResponse { Exit = Exits.Tell(over, last + 1) }, stop);
        }, cancellationToken);
    }

    public async Task AttachAsync(Box box, AttachRequest request, IAsyncStreamWriter<AttachResponse> writer, CancellationToken cancellationToken)
    {
        var name = Checked(request.ExecId);
        if (request.After < 0) throw RpcErrors.InvalidArgument("after", "must not be negative.");
        await StoppableAsync(async stop =>
        {
            var last = 0L;
            var asked = new GuestRequest { Op = "attach", Run = RunOf(name), After = request.After };
            var exit = await commands.AttachAsync(box, asked, async (stream, position) =>
            {
                last = position.Sequence;
                await writer.WriteAsync(new AttachResponse { Started = new Started { ExecId = name, Sequence = Math.Min(request.After, last) } }, stop);
                if (last > request.After) await writer.WriteAsync(new AttachResponse { Dropped = new Dropped { Sequence = last, Pieces = last - request.After } }, stop);
                return await FollowAsync(stream, last, step =>
                {
                    last = step.Sequence;
                    return writer.WriteAsync(step.Kind switch
                    {
                        Frame.Stdout => new AttachResponse { Stdout = step.ToOutput() },
                        Frame.Stderr => new AttachResponse { Stderr = step.ToOutput() },
                        _ => new AttachResponse { Dropped = step.ToDropped() },
                    }, stop);
                }, stop);
            });
            if (exit is { } over) await writer.WriteAsync(new AttachResponse { Exit = Exits.Tell(over, last + 1) }, stop);
        }, cancellationToken);
    }

    public async Task SignalAsync(Box box, SignalRequest request)
    {
        var signal = request.HasSignal ? request.Signal : DefaultSignal;
        if (signal is < 1 or > 64) throw RpcErrors.InvalidArgument("signal", "must be from 1 to 64.");
        await commands.SignalAsync(box, RunOf(Checked(request.ExecId)), signal);
    }

    private static async Task<GuestExit?> FollowAsync(GuestStream stream, long sequence, Func<Step, Task> tell, CancellationToken cancellationToken)
    {
        while (true)
        {
            var (kind, payload) = await stream.ReadAsync(cancellationToken);
            switch (kind)
            {
                case Frame.Exit:
                    return GuestStream.ParseExit(payload);
                case Frame.Stdout or Frame.Stderr:
                    await tell(new Step(kind, ++sequence, payload, 0));
                    break;
                case Frame.Skipped:
                    var position = GuestStream.ParsePosition(payload);
                    await tell(new Step(kind, position.Sequence, [], position.Sequence - sequence));
                    sequence = position.Sequence;
                    break;
            }
        }
    }

    // A node that stops leaves its commands running: whoever follows one is told to come again.
    private async Task StoppableAsync(Func<CancellationToken, Task> follow, CancellationToken cancellationToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lifetime.ApplicationStopping);
        try
        {
            await follow(over.Token);
        }
        catch (OperationCanceledException) when (lifetime.ApplicationStopping.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw RpcErrors.Unavailable("NODE_STOPPING", "The node is stopping: attach again.", Notice);
        }
    }

    private static string RunOf(string execId) => "exec:" + execId;

    private static string Checked(string execId) =>
        Name().IsMatch(execId) ? execId : throw RpcErrors.InvalidArgument("exec_id", "must be 1 to 64 of letters, digits, \"-\" and \"_\".");

    [GeneratedRegex("^[A-Za-z0-9_-]{1,64}$")]
    private static partial Regex Name();

    private readonly record struct Step(byte Kind, long Sequence, byte[] Payload, long Lost)
    {
        // A character that two pieces share makes both base64: bytes are handed on as they come, and none is held back.
        public Output ToOutput() => new() { Sequence = Sequence, Data = UnsafeByteOperations.UnsafeWrap(Payload), Base64 = !Utf8.IsValid(Payload) };

        public Dropped ToDropped() => new() { Sequence = Sequence, Pieces = Lost };
    }
}
