using System.Text.RegularExpressions;
using Corral.Api.V1;
using Corral.Hosting;
using Corral.NodeAgent.Commands;
using Corral.NodeAgent.Sandboxes;
using Corral.NodeAgent.Terminals;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Corral.NodeAgent.Grpc;

/// <summary>Terminals in the sandboxes of this node, for the gateway.</summary>
internal sealed partial class TerminalGrpcService(SandboxTable table, TerminalTokens tokens, TerminalShells shells, IHostApplicationLifetime lifetime)
    : TerminalService.TerminalServiceBase
{
    private const int Columns = 80;
    private const int Rows = 24;
    private static readonly TimeSpan Notice = TimeSpan.FromSeconds(1);

    /// <summary>A terminal's name, as a caller gives it.</summary>
    public static string Named(string terminal) => terminal.Length == 0 ? "main"
        : Name().IsMatch(terminal) ? terminal
        : throw RpcErrors.InvalidArgument("terminal", "must be 1 to 32 of lower-case letters, digits and \"-\".");

    public override Task<OpenTerminalResponse> OpenTerminal(OpenTerminalRequest request, ServerCallContext context)
    {
        var (columns, rows) = (Side("cols", request.HasCols ? request.Cols : Columns), Side("rows", request.HasRows ? request.Rows : Rows));
        var terminal = Named(request.Terminal);
        var box = Boxes.Of(table, request.SandboxId, context);
        var (token, expires) = tokens.Make(box, CallerIdentity.From(context).KeyId, terminal);
        return Task.FromResult(new OpenTerminalResponse
        {
            Url = $"/v1/sandboxes/terminal/socket?id={request.SandboxId}&terminal={terminal}&cols={columns}&rows={rows}&token={Uri.EscapeDataString(token)}",
            Token = token,
            ExpiresAt = Timestamp.FromDateTimeOffset(expires),
        });
    }

    public override Task ConnectTerminal(
        IAsyncStreamReader<ConnectTerminalRequest> requestStream, IServerStreamWriter<ConnectTerminalResponse> responseStream, ServerCallContext context) => GuestErrors.TellAsync(async () =>
    {
        if (!await requestStream.MoveNext(context.CancellationToken) || requestStream.Current is not { View: { } view } opening)
            throw RpcErrors.InvalidArgument("view", "is required in the first message.");
        view.Terminal = Named(view.Terminal);
        if (view.After < 0) throw RpcErrors.InvalidArgument("after", "must not be negative.");
        if (view.Size is { } size) (_, _) = (Side("cols", size.Columns), Side("rows", size.Rows));
        var box = Boxes.Of(table, opening.SandboxId, context);
        await LookAsync(box, view, requestStream, responseStream, context.CancellationToken);
        return true;
    });

    private async Task LookAsync(
        Box box, Api.V1.TerminalView view, IAsyncStreamReader<ConnectTerminalRequest> requests, IAsyncStreamWriter<ConnectTerminalResponse> responses, CancellationToken cancellationToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lifetime.ApplicationStopping);
        var viewer = new Terminals.TerminalView(view.Terminal, view.Size, requests, responses);
        try
        {
            var exit = await shells.ViewAsync(box, view, (stream, position) => viewer.RunAsync(stream, position, over.Token));
            if (exit is { } ended) await viewer.TellAsync(ended, over.Token);
        }
        catch (OperationCanceledException) when (lifetime.ApplicationStopping.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw RpcErrors.Unavailable("NODE_STOPPING", "The node is stopping: connect again.", Notice);
        }
    }

    private static int Side(string field, int side) => side is >= 1 and <= 1000 ? side : throw RpcErrors.InvalidArgument(field, "must be from 1 to 1000.");

    [GeneratedRegex("^[a-z0-9-]{1,32}$")]
    private static partial Regex Name();
}
