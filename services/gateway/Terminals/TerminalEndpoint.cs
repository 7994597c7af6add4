using Corral.Api.V1;
using Corral.Gateway.Errors;
using Corral.Gateway.Routing;
using Corral.Gateway.Security;
using Corral.Gateway.Transcoding;
using Corral.Hosting;
using Grpc.Core;
using Microsoft.Extensions.Options;

namespace Corral.Gateway.Terminals;

/// <summary>Opens the WebSockets of terminals.</summary>
/// <remarks>1 what is asked, 2 caller, 3 node and terminal, 4 WebSocket. Until the terminal itself answered, an error is an ordinary answer.</remarks>
internal sealed partial class TerminalEndpoint(
    Authenticator authenticator, KeyWatch keys, SandboxLocator locator, ChannelPool channels, OriginCheck origins, IOptions<TerminalOptions> options, IHostApplicationLifetime lifetime,
    TimeProvider clock, ILogger<TerminalEndpoint> log)
{
    public const string Path = "/v1/sandboxes/terminal/socket";
    private const string Scope = "sandbox_sessions:exec";
    private static readonly ApiError NoCaller = new(StatusCodes.Status401Unauthorized, "Invalid or missing API key");
    private static readonly ApiError NoToken = new(StatusCodes.Status401Unauthorized, "Invalid or expired terminal token", "INVALID_TERMINAL_TOKEN");

    public async Task HandleAsync(HttpContext context)
    {
        try
        {
            // 1
            if (!context.WebSockets.IsWebSocketRequest)
            {
                context.Response.Headers.Upgrade = "websocket";
                await ErrorBody.WriteAsync(context, new ApiError(StatusCodes.Status426UpgradeRequired, "This is the address of a WebSocket"));
                return;
            }

            if (!origins.Allows(context.Request))
            {
                await ErrorBody.WriteAsync(context, new ApiError(StatusCodes.Status403Forbidden, "Pages of this origin may not open terminals", "ORIGIN_NOT_ALLOWED"));
                return;
            }

            var asked = TerminalAsked.Read(context);

            // 2
            var byToken = asked.View.Token.Length > 0;
            var caller = byToken ? ClaimedBy(asked.View.Token, context) : await authenticator.AuthenticateAsync(context.Request.Headers, context.TraceIdentifier);
            if (caller is null)
            {
                await ErrorBody.WriteAsync(context, byToken ? NoToken : NoCaller);
                return;
            }

            if (!caller.May(Scope))
            {
                var facts = new Dictionary<string, string> { ["requiredScope"] = Scope };
                await ErrorBody.WriteAsync(context, new ApiError(StatusCodes.Status403Forbidden, "Insufficient permissions", "PERMISSION_DENIED", facts));
                return;
            }

            // 3, 4
            await ConnectAsync(context, asked, caller.Identity, byToken);
        }
        catch (RequestException exception)
        {
            await ErrorBody.WriteAsync(context, new ApiError(exception.Status, exception.Message));
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            // Nobody listens any more.
        }
        catch (Exception exception) when (!context.Response.HasStarted)
        {
            LogFault(exception);
            await ErrorBody.WriteAsync(context, new ApiError(StatusCodes.Status500InternalServerError, "Internal server error"));
        }
    }

    // Only a claim: the node that runs the sandbox decides whether the token is true, and answers nothing else before.
    private static Caller? ClaimedBy(string token, HttpContext context)
    {
        var organization = token.Split('~')[0];
        return organization.Length is > 0 and <= 64 && organization.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_')
            ? new Caller(new CallerIdentity(organization, "", [Scope], context.TraceIdentifier), "")
            : null;
    }

    private async Task ConnectAsync(HttpContext context, TerminalAsked asked, CallerIdentity caller, bool byToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        AsyncDuplexStreamingCall<ConnectTerminalRequest, ConnectTerminalResponse> call;
        try
        {
            var address = await locator.FindAsync(caller, asked.SandboxId);
            call = new TerminalService.TerminalServiceClient(channels.Get(address)).ConnectTerminal(new CallOptions(caller.ToMetadata(), cancellationToken: over.Token));
            await call.RequestStream.WriteAsync(new ConnectTerminalRequest { SandboxId = asked.SandboxId, View = asked.View });
            await call.ResponseStream.MoveNext(over.Token);
        }
        catch (RpcException exception)
        {
            await RefuseAsync(context, asked, caller, byToken, exception);
            return;
        }

        using (call)
        using (var socket = await context.WebSockets.AcceptWebSocketAsync(new WebSocketAcceptContext { SubProtocol = TerminalAsked.Chosen(context) }))
        {
            var carrying = new TerminalSocket(socket, call, options.Value.SendTimeout, clock, lifetime.ApplicationStopping).RunAsync(IsGoneAsync);
            await (byToken ? carrying : keys.WhileGoodAsync(context, Scope, carrying));
            await over.CancelAsync();
        }

        async Task<bool> IsGoneAsync(RpcException failure)
        {
            try
            {
                await locator.FailedAsync(caller, asked.SandboxId, failure);
                await locator.FindAsync(caller, asked.SandboxId);
                return false;
            }
            catch (RpcException exception)
            {
                return exception.StatusCode is StatusCode.NotFound or StatusCode.FailedPrecondition;
            }
        }
    }

    // Whoever has only a claim learns nothing of what there is.
    private async Task RefuseAsync(HttpContext context, TerminalAsked asked, CallerIdentity caller, bool byToken, RpcException failure)
    {
        try
        {
            await locator.FailedAsync(caller, asked.SandboxId, failure);
        }
        catch (RpcException truth)
        {
            failure = truth;
        }

        var refused = byToken && failure.StatusCode is StatusCode.NotFound or StatusCode.FailedPrecondition or StatusCode.Unauthenticated;
        await ErrorBody.WriteAsync(context, refused ? NoToken : ErrorTable.From(failure));
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Opening a terminal failed.")]
    private partial void LogFault(Exception exception);
}
