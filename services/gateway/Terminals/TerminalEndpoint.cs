using Corral.Api.V1;
using Corral.Gateway.Errors;
using Corral.Gateway.RateLimits;
using Corral.Gateway.Routing;
using Corral.Gateway.Security;
using Corral.Gateway.Transcoding;
using Corral.Hosting;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Microsoft.Extensions.Options;

namespace Corral.Gateway.Terminals;

/// <summary>Opens the WebSockets of terminals.</summary>
/// <remarks>1 what is asked, 2 caller, 3 rate, 4 scope, 5 node and terminal, 6 WebSocket. Until the terminal itself answered, an error is an ordinary answer.</remarks>
internal sealed partial class TerminalEndpoint(
    Authenticator authenticator, TokenCheck tokens, RateLimiter rates, KeyWatch keys, SandboxLocator locator, ChannelPool channels, OriginCheck origins,
    IOptions<TerminalOptions> options, IHostApplicationLifetime lifetime, TimeProvider clock, ILogger<TerminalEndpoint> log)
{
    public const string Path = "/v1/sandboxes/terminal/socket";
    private const string Scope = "sandbox_sessions:exec";
    // A WebSocket is the same call as the native one, and takes from the same bucket.
    private static readonly MethodDescriptor Call = TerminalService.Descriptor.FindMethodByName(nameof(TerminalService.TerminalServiceClient.ConnectTerminal));
    private static readonly ApiError NoCaller = new(StatusCodes.Status401Unauthorized, "Invalid or missing API key");
    private static readonly ApiError NoToken = new(StatusCodes.Status401Unauthorized, "Invalid or expired terminal token", "INVALID_TERMINAL_TOKEN");

    public async Task HandleAsync(HttpContext context)
    {
        try
        {
            await OpenAsync(context);
        }
        catch (RequestException exception)
        {
            await ErrorBody.WriteAsync(context, new ApiError(exception.Status, exception.Message));
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            // Nobody listens any more.
        }
        catch (RpcException exception) when (!context.Response.HasStarted)
        {
            await ErrorBody.WriteAsync(context, ErrorTable.From(exception));
        }
        catch (DependencyUnavailableException exception) when (!context.Response.HasStarted)
        {
            await ErrorBody.WriteAsync(context, ErrorTable.From(exception));
        }
        catch (Exception exception) when (!context.Response.HasStarted)
        {
            LogFault(exception);
            await ErrorBody.WriteAsync(context, new ApiError(StatusCodes.Status500InternalServerError, "Internal server error"));
        }
    }

    private async Task OpenAsync(HttpContext context)
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
        var byToken = asked.Token.Length > 0;
        var caller = await (byToken ? tokens.FindCallerAsync(asked, context.TraceIdentifier) : authenticator.AuthenticateAsync(context.Request.Headers, context.TraceIdentifier));
        if (caller is null)
        {
            await ErrorBody.WriteAsync(context, byToken ? NoToken : NoCaller);
            return;
        }

        // 3
        await rates.TakeAsync(context, caller, Call);

        // 4
        if (!caller.May(Scope))
        {
            var facts = new Dictionary<string, string> { ["requiredScope"] = Scope };
            await ErrorBody.WriteAsync(context, new ApiError(StatusCodes.Status403Forbidden, "Insufficient permissions", "PERMISSION_DENIED", facts));
        }
        else
        {
            // 5, 6
            await ConnectAsync(context, asked, caller.Identity, byToken);
        }
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
            await locator.FailedAsync(caller, asked.SandboxId, exception);
            throw;
        }

        using (call)
        using (var socket = await context.WebSockets.AcceptWebSocketAsync(new WebSocketAcceptContext { SubProtocol = asked.Subprotocol }))
        {
            var carrying = new TerminalSocket(socket, call, options.Value.SendTimeout, clock, lifetime.ApplicationStopping).RunAsync(IsGoneAsync);
            await (byToken
                ? keys.WhileGoodAsync(context, () => authenticator.FindHolderAsync(caller.OrganizationId, caller.KeyId, context.TraceIdentifier), Scope, carrying)
                : keys.WhileGoodAsync(context, Scope, carrying));
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

    [LoggerMessage(Level = LogLevel.Error, Message = "Opening a terminal failed.")]
    private partial void LogFault(Exception exception);
}
