using System.Text.Unicode;
using Corral.Api.V1;
using Corral.GuestLink;
using Corral.Hosting;
using Corral.NodeAgent.Commands;
using Corral.NodeAgent.Sandboxes;
using Google.Protobuf;
using Grpc.Core;

namespace Corral.NodeAgent.Grpc;

/// <summary>Commands in the sandboxes of this node, for the gateway.</summary>
internal sealed class ExecGrpcService(SandboxTable table, CommandRunner commands, CodeRunner code, CommandStreams streams) : ExecService.ExecServiceBase
{
    public override async Task<RunResponse> Run(RunRequest request, ServerCallContext context)
    {
        var spec = CommandSpec.Of(request);
        var box = Boxes.Of(table, request.SandboxId, context);
        return await CollectAsync(output => commands.RunAsync(box, spec, output, context.CancellationToken));
    }

    public override async Task<RunCodeResponse> RunCode(RunCodeRequest request, ServerCallContext context)
    {
        var box = Boxes.Of(table, request.SandboxId, context);
        var result = await CollectAsync(output => code.RunAsync(
            box, request.Code, request.Language, request.HasTimeoutMs ? request.TimeoutMs : null, output, context.CancellationToken));
        return new RunCodeResponse { Result = result };
    }

    public override Task Stream(StreamRequest request, IServerStreamWriter<StreamResponse> responseStream, ServerCallContext context) => GuestErrors.TellAsync(async () =>
    {
        var spec = CommandSpec.Of(request);
        await streams.StartAsync(Boxes.Of(table, request.SandboxId, context), spec, request.ExecId, responseStream, context.CancellationToken);
        return true;
    });

    public override Task Attach(AttachRequest request, IServerStreamWriter<AttachResponse> responseStream, ServerCallContext context) => GuestErrors.TellAsync(async () =>
    {
        await streams.AttachAsync(Boxes.Of(table, request.SandboxId, context), request, responseStream, context.CancellationToken);
        return true;
    });

    public override Task<SignalResponse> Signal(SignalRequest request, ServerCallContext context) => GuestErrors.TellAsync(async () =>
    {
        await streams.SignalAsync(Boxes.Of(table, request.SandboxId, context), request);
        return new SignalResponse { Ok = true };
    });

    public override Task Start(IAsyncStreamReader<StartRequest> requestStream, IServerStreamWriter<StartResponse> responseStream, ServerCallContext context) => GuestErrors.TellAsync(async () =>
    {
        if (!await requestStream.MoveNext(context.CancellationToken) || requestStream.Current is not { Start: { } first } opening)
            throw RpcErrors.InvalidArgument("start", "is required in the first message.");
        var spec = CommandSpec.Of(first);
        var box = Boxes.Of(table, opening.SandboxId, context);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken);
        var sequence = 0L;
        var exit = await commands.RunAsync(
            box, spec,
            async () => await responseStream.WriteAsync(new StartResponse { Started = new Started() }, over.Token),
            async (kind, payload) =>
            {
                var piece = Piece(++sequence, payload);
                await responseStream.WriteAsync(kind == Frame.Stdout ? new StartResponse { Stdout = piece } : new StartResponse { Stderr = piece }, over.Token);
            },
            stream => CarryAsync(requestStream, stream, over.Token), over);
        await responseStream.WriteAsync(new StartResponse { Exit = Exits.Tell(exit) }, context.CancellationToken);
        return true;
    });

    private static async Task CarryAsync(IAsyncStreamReader<StartRequest> requests, GuestStream stream, CancellationToken cancellationToken)
    {
        while (await requests.MoveNext(cancellationToken))
        {
            var request = requests.Current;
            switch (request.ActionCase)
            {
                case StartRequest.ActionOneofCase.Stdin:
                    for (var rest = request.Stdin.Memory; rest.Length > 0; rest = rest[Math.Min(rest.Length, Frame.MaxPayload)..])
                        await stream.WriteAsync(Frame.Stdin, rest[..Math.Min(rest.Length, Frame.MaxPayload)], cancellationToken);
                    break;
                case StartRequest.ActionOneofCase.CloseStdin:
                    await stream.WriteAsync(Frame.CloseStdin, default, cancellationToken);
                    break;
                case StartRequest.ActionOneofCase.Signal when request.Signal is > 0 and <= 64:
                    await stream.WriteAsync(Frame.Signal, new[] { (byte)request.Signal }, cancellationToken);
                    break;
                case StartRequest.ActionOneofCase.Resize when request.Resize is { Columns: >= 1 and <= 1000, Rows: >= 1 and <= 1000 } size:
                    await stream.WriteAsync(Frame.Resize, GuestClient.SizeOf(size.Columns, size.Rows), cancellationToken);
                    break;
                default:
                    break; // Out of range: ignored, because the command goes on either way.
            }
        }

        await stream.WriteAsync(Frame.CloseStdin, default, cancellationToken);
    }

    private static Task<RunResponse> CollectAsync(Func<Func<byte, byte[], ValueTask>, Task<CommandExit>> run) => GuestErrors.TellAsync(async () =>
    {
        using var stdout = new CappedOutput();
        using var stderr = new CappedOutput();
        var exit = await run((kind, payload) =>
        {
            (kind == Frame.Stdout ? stdout : stderr).Add(payload);
            return ValueTask.CompletedTask;
        });
        var response = new RunResponse
        {
            Stdout = stdout.Take(),
            Stderr = stderr.Take(),
            Truncated = stdout.Truncated || stderr.Truncated,
            ExitCode = exit.Code,
            DurationMs = exit.DurationMs,
            TimedOut = exit.TimedOut,
            OutOfMemory = exit.OutOfMemory,
        };
        if (exit.Signal is { } signal) response.Signal = signal;
        return response;
    });

    // A character that two pieces share makes both base64: bytes are handed on as they come, and none is held back.
    private static Output Piece(long sequence, byte[] payload) =>
        new() { Sequence = sequence, Data = ByteString.CopyFrom(payload), Base64 = !Utf8.IsValid(payload) };
}
