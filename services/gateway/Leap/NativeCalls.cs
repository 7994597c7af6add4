using Corral.Api.V1;
using Corral.Gateway.Routing;
using Corral.Gateway.Security;
using Corral.Hosting;
using Grpc.Core;

namespace Corral.Gateway.Leap;

/// <summary>Makes the native calls that a leap call is made of, on its caller's behalf.</summary>
internal sealed class NativeCalls(SandboxService.SandboxServiceClient sandboxes, ChannelPool channels, SandboxLocator locator, TimeProvider clock)
{
    // Clients of this dialect work in a sandbox as soon as it is created, without asking whether it runs.
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan ShortCall = TimeSpan.FromSeconds(30);

    /// <summary>Above the longest command.</summary>
    public static readonly TimeSpan LongCall = TimeSpan.FromMinutes(485);

    public SandboxService.SandboxServiceClient Sandboxes => sandboxes;

    public CallOptions Options(Caller caller, CancellationToken cancellationToken) => Options(caller, ShortCall, cancellationToken);

    /// <summary>Waits until a sandbox runs. Throws the error of sessions: not found, or not ready.</summary>
    public Task<string> ReadyAsync(Caller caller, string sandboxId) => locator.FindAsync(caller.Identity, sandboxId, StartPatience);

    /// <summary>Calls the node that runs a sandbox, as soon as it does.</summary>
    public async Task<T> OnNodeAsync<T>(Caller caller, string sandboxId, Func<CallInvoker, CallOptions, Task<T>> call, CancellationToken cancellationToken)
    {
        var address = await ReadyAsync(caller, sandboxId);
        try
        {
            return await call(channels.Get(address).CreateCallInvoker(), Options(caller, LongCall, cancellationToken));
        }
        catch (RpcException exception)
        {
            await locator.FailedAsync(caller.Identity, sandboxId, exception);
            throw;
        }
    }

    private CallOptions Options(Caller caller, TimeSpan patience, CancellationToken cancellationToken) =>
        new(caller.Identity.ToMetadata(), clock.GetUtcNow().UtcDateTime + patience, cancellationToken);
}
