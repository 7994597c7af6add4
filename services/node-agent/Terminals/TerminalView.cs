using Corral.Api.V1;
using Corral.GuestLink;
using Corral.NodeAgent.Commands;
using Corral.NodeAgent.Grpc;
using Google.Protobuf;
using Grpc.Core;

namespace Corral.NodeAgent.Terminals;

/// <summary>One caller that looks at a terminal: what it types goes in, what the terminal shows comes out.</summary>
internal sealed class TerminalView(
    string terminal, TerminalSize? size, IAsyncStreamReader<ConnectTerminalRequest> requests, IAsyncStreamWriter<ConnectTerminalResponse> responses)
{
    private long _offset;

    /// <summary>Carries both ways until the shell is over, and answers how it ended, or the caller leaves: null.</summary>
    public async Task<GuestExit?> RunAsync(GuestStream stream, GuestPosition position, CancellationToken cancellationToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _offset = position.Offset;
        var asked = size is not null && !position.IsOver && (size.Columns, size.Rows) != (position.Columns, position.Rows);
        var attached = new TerminalAttached
        {
            Terminal = terminal,
            Session = position.Session,
            Offset = position.Offset,
            Size = asked ? size : new TerminalSize { Columns = position.Columns, Rows = position.Rows },
        };
        await responses.WriteAsync(new ConnectTerminalResponse { Attached = attached }, over.Token);
        if (asked) await stream.WriteAsync(Frame.Resize, GuestClient.SizeOf(size!.Columns, size.Rows), over.Token);
        var typing = TypeAsync(stream, over);
        try
        {
            return await ShowAsync(stream, over.Token);
        }
        catch (OperationCanceledException) when (typing.IsCompletedSuccessfully && !cancellationToken.IsCancellationRequested)
        {
            return null;
        }
        finally
        {
            await over.CancelAsync();
            await typing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    public Task TellAsync(CommandExit exit, CancellationToken cancellationToken) =>
        responses.WriteAsync(new ConnectTerminalResponse { Exit = Exits.Tell(exit) }, cancellationToken);

    private async Task<GuestExit?> ShowAsync(GuestStream stream, CancellationToken cancellationToken)
    {
        while (true)
        {
            var (kind, payload) = await stream.ReadAsync(cancellationToken);
            switch (kind)
            {
                case Frame.Exit:
                    return GuestStream.ParseExit(payload);
                case Frame.Stdout:
                    _offset += payload.Length;
                    await responses.WriteAsync(new ConnectTerminalResponse { Output = UnsafeByteOperations.UnsafeWrap(payload) }, cancellationToken);
                    break;
                case Frame.Skipped:
                    var at = GuestStream.ParsePosition(payload).Offset;
                    await responses.WriteAsync(new ConnectTerminalResponse { Skipped = new TerminalSkipped { Bytes = at - _offset, Offset = at } }, cancellationToken);
                    _offset = at;
                    break;
                case Frame.Resized:
                    var (columns, rows) = GuestStream.ParseSize(payload);
                    await responses.WriteAsync(new ConnectTerminalResponse { Resized = new TerminalSize { Columns = columns, Rows = rows } }, cancellationToken);
                    break;
            }
        }
    }

    // Whoever has nothing more to say leaves.
    private async Task TypeAsync(GuestStream stream, CancellationTokenSource over)
    {
        while (await requests.MoveNext(over.Token))
        {
            switch (requests.Current)
            {
                case { ActionCase: ConnectTerminalRequest.ActionOneofCase.Input, Input: var input }:
                    for (var rest = input.Memory; rest.Length > 0; rest = rest[Math.Min(rest.Length, Frame.MaxPayload)..])
                        await stream.WriteAsync(Frame.Stdin, rest[..Math.Min(rest.Length, Frame.MaxPayload)], over.Token);
                    break;
                case { ActionCase: ConnectTerminalRequest.ActionOneofCase.Resize, Resize: { Columns: >= 1 and <= 1000, Rows: >= 1 and <= 1000 } next }:
                    await stream.WriteAsync(Frame.Resize, GuestClient.SizeOf(next.Columns, next.Rows), over.Token);
                    break;
            }
        }

        await over.CancelAsync();
    }
}
