using Corral.Gateway.Security;
using Corral.Hosting;
using Google.Protobuf;
using Grpc.Core;

namespace Corral.Gateway.Routing;

/// <summary>Makes the gRPC call of a route, to whoever answers it.</summary>
internal sealed class Upstreams(ChannelPool channels, SandboxLocator locator, IConfiguration configuration, TimeProvider clock)
{
    // Above the longest command and the longest wait of a launch.
    private static readonly TimeSpan LongCall = TimeSpan.FromMinutes(125);
    private static readonly TimeSpan ShortCall = TimeSpan.FromSeconds(30);

    private readonly string _sessions = configuration.ServiceAddress("sessions");

    public async Task<byte[]> UnaryAsync(Route route, Caller caller, IMessage request, CancellationToken cancellationToken)
    {
        var (invoker, options) = await PrepareAsync(route, caller, request, cancellationToken);
        try
        {
            using var call = invoker.AsyncUnaryCall(route.Method, null, options, request.ToByteArray());
            return await call;
        }
        catch (RpcException exception) when (route.RunsOnNode)
        {
            await locator.FailedAsync(caller.Identity, route.SandboxId(request), exception);
            throw;
        }
    }

    public async Task<AsyncServerStreamingCall<byte[]>> StreamAsync(Route route, Caller caller, IMessage request, CancellationToken cancellationToken)
    {
        var (invoker, options) = await PrepareAsync(route, caller, request, cancellationToken);
        return invoker.AsyncServerStreamingCall(route.Method, null, options.WithDeadline(DateTime.MaxValue), request.ToByteArray());
    }

    private async Task<(CallInvoker, CallOptions)> PrepareAsync(Route route, Caller caller, IMessage request, CancellationToken cancellationToken)
    {
        var address = route.RunsOnNode ? await locator.FindAsync(caller.Identity, route.SandboxId(request)) : _sessions;
        var patience = route.RunsOnNode || route.Descriptor.Name == "Launch" ? LongCall : ShortCall;
        var options = new CallOptions(caller.Identity.ToMetadata(), clock.GetUtcNow().UtcDateTime + patience, cancellationToken);
        return (channels.Get(address).CreateCallInvoker(), options);
    }
}
