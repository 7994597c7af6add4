using System.IO.Pipelines;
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

    private static readonly TimeSpan NodeRetry = TimeSpan.FromSeconds(30);

    private readonly string _sessions = configuration.ServiceAddress("sessions");

    public async Task<byte[]> UnaryAsync(Route route, Caller caller, IMessage request, CancellationToken cancellationToken)
    {
        if (Route.IsOfThePast(route.Descriptor))
        {
            return await OfThePastAsync(route, caller, request, cancellationToken);
        }

        var (invoker, options) = await PrepareAsync(route, caller, request, cancellationToken);
        try
        {
            using var call = invoker.AsyncUnaryCall(route.Method, null, options, request.ToByteArray());
            var answer = await call;
            if (IsLaunch(route)) locator.Learn(caller.Identity, call.GetTrailers());
            return answer;
        }
        catch (RpcException exception) when (route.RunsOnNode)
        {
            await locator.FailedAsync(caller.Identity, route.SandboxId(request), exception);
            throw;
        }
    }

    /// <summary>Sends the request, and the body in as many more messages as it takes: none is read before the one before it is gone.</summary>
    public async Task<byte[]> UploadAsync(Route route, Caller caller, IMessage request, PipeReader body, CancellationToken cancellationToken)
    {
        var (invoker, options) = await PrepareAsync(route, caller, request, cancellationToken);
        using var call = invoker.AsyncClientStreamingCall(route.Method, null, options.WithDeadline(DateTime.MaxValue));
        try
        {
            if (await SendAsync(call, request.ToByteArray()))
            {
                await ByteStream.ReadAsync(body, route, piece => SendAsync(call, piece), cancellationToken);
            }

            return await call.ResponseAsync;
        }
        catch (RpcException exception)
        {
            await locator.FailedAsync(caller.Identity, route.SandboxId(request), exception);
            throw;
        }
    }

    /// <summary>Has the answer, of any length, carried on as it comes.</summary>
    public async Task StreamAsync(Route route, Caller caller, IMessage request, Func<AsyncServerStreamingCall<byte[]>, Task> carry, CancellationToken cancellationToken)
    {
        var (invoker, options) = await PrepareAsync(route, caller, request, cancellationToken);
        using var call = invoker.AsyncServerStreamingCall(route.Method, null, options.WithDeadline(DateTime.MaxValue), request.ToByteArray());
        try
        {
            await carry(call);
        }
        catch (RpcException exception) when (route.RunsOnNode)
        {
            await locator.FailedAsync(caller.Identity, route.SandboxId(request), exception);
            throw;
        }
    }

    // Asks the node that runs or ran the sandbox. That may be gone for good, which trying again shortly does not help.
    private async Task<byte[]> OfThePastAsync(Route route, Caller caller, IMessage request, CancellationToken cancellationToken)
    {
        var id = route.SandboxId(request);
        var metadata = caller.Identity.ToMetadata();
        metadata.Add(CallerIdentity.SandboxKey, id);
        var node = channels.Get(await locator.FindLastAsync(caller.Identity, id)).CreateCallInvoker();
        try
        {
            using var call = node.AsyncUnaryCall(route.Method, null, new CallOptions(metadata, clock.GetUtcNow().UtcDateTime + ShortCall, cancellationToken), request.ToByteArray());
            return await call;
        }
        catch (RpcException exception) when (exception.StatusCode == StatusCode.Unavailable && RpcErrors.Read(exception).Reason.Length == 0)
        {
            throw NodeUnavailable();
        }
    }

    /// <summary>What a caller is told who asks for what only a node has that does not answer.</summary>
    public static RpcException NodeUnavailable() =>
        RpcErrors.Unavailable("NODE_UNAVAILABLE", "The node that ran the sandbox does not answer, and what is asked for is kept there only", NodeRetry);

    // False when the call was answered already: its answer says why.
    private static async Task<bool> SendAsync(AsyncClientStreamingCall<byte[], byte[]> call, byte[]? message)
    {
        try
        {
            await (message is null ? call.RequestStream.CompleteAsync() : call.RequestStream.WriteAsync(message));
            return true;
        }
        catch (Exception problem) when (problem is RpcException or InvalidOperationException)
        {
            return false;
        }
    }

    private async Task<(CallInvoker, CallOptions)> PrepareAsync(Route route, Caller caller, IMessage request, CancellationToken cancellationToken)
    {
        var address = route.RunsOnNode ? await locator.FindAsync(caller.Identity, route.SandboxId(request)) : _sessions;
        var patience = route.RunsOnNode || IsLaunch(route) ? LongCall : ShortCall;
        var metadata = caller.Identity.ToMetadata();
        if (IsLaunch(route)) metadata.Add(CallerIdentity.PlaceKey, "?");
        var options = new CallOptions(metadata, clock.GetUtcNow().UtcDateTime + patience, cancellationToken);
        return (channels.Get(address).CreateCallInvoker(), options);
    }

    private static bool IsLaunch(Route route) => route.Descriptor.Name == "Launch";
}
