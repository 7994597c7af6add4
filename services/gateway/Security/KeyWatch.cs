using Grpc.Core;

namespace Corral.Gateway.Security;

/// <summary>Ends what goes on for long as soon as its key is no longer good.</summary>
internal sealed class KeyWatch(Authenticator authenticator, TimeProvider clock)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    /// <summary>Waits for the work, and cuts its connection when the key it was begun with may not do it any more.</summary>
    public async Task WhileGoodAsync(HttpContext context, string scope, Task work)
    {
        while (await Task.WhenAny(work, Task.Delay(Pause, clock, CancellationToken.None)) != work)
        {
            if (!await IsGoodAsync(context, scope))
            {
                GatewayTelemetry.StreamsRevoked.Add(1);
                context.Abort();
                break;
            }
        }

        await work;
    }

    private async Task<bool> IsGoodAsync(HttpContext context, string scope)
    {
        try
        {
            return await authenticator.AuthenticateAsync(context.Request.Headers, context.TraceIdentifier) is { } caller && caller.May(scope);
        }
        catch (RpcException)
        {
            // Sessions is away for a moment: what was allowed to begin is not cut for that.
            return true;
        }
    }
}
