using Grpc.Core;

namespace Corral.Gateway.Security;

/// <summary>Ends what goes on for long as soon as its key is no longer good.</summary>
internal sealed class KeyWatch(Authenticator authenticator, TimeProvider clock)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    /// <summary>Waits for the work, and cuts its connection when the key it was begun with may not do it any more.</summary>
    public Task WhileGoodAsync(HttpContext context, string scope, Task work) =>
        WhileGoodAsync(context, () => authenticator.AuthenticateAsync(context.Request.Headers, context.TraceIdentifier), scope, work);

    /// <summary>The same for a caller who did not come with the key itself.</summary>
    /// <param name="context">The connection.</param>
    /// <param name="findCaller">Finds the caller anew; null when the key is no longer good.</param>
    /// <param name="scope">What the work needs.</param>
    /// <param name="work">The work.</param>
    public async Task WhileGoodAsync(HttpContext context, Func<ValueTask<Caller?>> findCaller, string scope, Task work)
    {
        while (await Task.WhenAny(work, Task.Delay(Pause, clock, CancellationToken.None)) != work)
        {
            if (!await IsGoodAsync(findCaller, scope))
            {
                GatewayTelemetry.StreamsRevoked.Add(1);
                context.Abort();
                break;
            }
        }

        await work;
    }

    private static async Task<bool> IsGoodAsync(Func<ValueTask<Caller?>> findCaller, string scope)
    {
        try
        {
            return await findCaller() is { } caller && caller.May(scope);
        }
        catch (RpcException)
        {
            // Sessions is away for a moment: what was allowed to begin is not cut for that.
            return true;
        }
    }
}
