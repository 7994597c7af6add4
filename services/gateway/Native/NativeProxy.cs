using Route = Corral.Gateway.Routing.Route;
using System.Collections.Frozen;
using System.Globalization;
using Corral.Dialect.V1;
using Corral.Gateway.Errors;
using Corral.Gateway.Kept;
using Corral.Gateway.RateLimits;
using Corral.Gateway.Routing;
using Corral.Gateway.Security;
using Corral.Hosting;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Yarp.ReverseProxy.Forwarder;

namespace Corral.Gateway.Native;

/// <summary>Passes native gRPC calls on, byte for byte, to whoever answers them.</summary>
/// <remarks>1 method, 2 caller, 3 rate, 4 scope, 5 destination by field 1 of the first message, 6 forward. Only the public services' methods pass.</remarks>
internal sealed class NativeProxy(
    Authenticator authenticator, RateLimiter rates, KeyWatch keys, SandboxLocator locator, KeptAnswers answers, IHttpForwarder forwarder, NativeChannels channels,
    IConfiguration configuration)
{
    private static readonly FrozenDictionary<string, MethodDescriptor> Methods =
        RouteTable.Services.SelectMany(s => s.Methods).ToFrozenDictionary(m => $"/{m.Service.FullName}/{m.Name}", StringComparer.Ordinal);

    private static readonly ForwarderRequestConfig Forwarding = new()
    {
        ActivityTimeout = TimeSpan.FromHours(3),
        Version = new Version(2, 0),
        VersionPolicy = HttpVersionPolicy.RequestVersionExact,
    };

    private readonly string _sessions = configuration.ServiceAddress("sessions");

    public async Task HandleAsync(HttpContext context)
    {
        try
        {
            // 1
            if (!Methods.TryGetValue(context.Request.Path, out var method))
            {
                throw RpcErrors.NotImplemented("NO_SUCH_METHOD", "There is no such method.");
            }

            // 2
            var caller = await authenticator.AuthenticateAsync(context.Request.Headers, context.TraceIdentifier)
                ?? throw RpcErrors.Unauthenticated("INVALID_API_KEY", "Invalid or missing API key");

            // 3
            await rates.TakeAsync(context, caller, method);

            // 4
            if (!caller.May(ScopeOf(method)))
            {
                throw RpcErrors.PermissionDenied("PERMISSION_DENIED", "Insufficient permissions");
            }

            // 5
            var (address, sandboxId) = Route.IsOnNode(method.Service) ? await NodeAsync(context, method, caller) : (_sessions, "");

            // 6
            var changes = Route.MayChangeRecords(method) ? answers : null;
            changes?.Forget(caller.Identity.OrganizationId);
            var transformer = new CallerTransformer(caller.Identity, sandboxId, changes, Route.IsOfThePast(method) ? null : locator);
            var forwarding = forwarder.SendAsync(context, "http://localhost", channels.Get(address), Forwarding, transformer).AsTask();
            await (method.IsServerStreaming || method.IsClientStreaming ? keys.WhileGoodAsync(context, ScopeOf(method), forwarding) : forwarding);
            if (await forwarding != ForwarderError.None && Route.IsOfThePast(method) && !context.Response.HasStarted)
            {
                throw Upstreams.NodeUnavailable();
            }

            if (transformer.Instead is { } truth)
            {
                Refuse(context, truth);
            }
        }
        catch (RpcException exception) when (!context.Response.HasStarted)
        {
            Refuse(context, exception);
        }
        catch (DependencyUnavailableException exception) when (!context.Response.HasStarted)
        {
            Refuse(context, RpcErrors.Unavailable(exception.Reason, exception.Message, exception.RetryAfter));
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            // Nobody listens any more.
        }
    }

    private async Task<(string Address, string SandboxId)> NodeAsync(HttpContext context, MethodDescriptor method, Caller caller)
    {
        var id = await FirstFrame.SandboxIdAsync(context.Request.BodyReader, context.RequestAborted)
            ?? throw RpcErrors.InvalidArgument("sandbox_id", "the first message is not a readable gRPC message");
        return (await (Route.IsOfThePast(method) ? locator.FindLastAsync(caller.Identity, id) : locator.FindAsync(caller.Identity, id)), id);
    }

    private static string ScopeOf(MethodDescriptor method) =>
        method.GetOptions()?.GetExtension(DialectExtensions.Call)?.Scope is { Length: > 0 } scope ? scope : "sandbox_sessions:exec";

    // A trailers-only answer: the status stands in the headers.
    private static void Refuse(HttpContext context, RpcException exception)
    {
        context.Response.StatusCode = StatusCodes.Status200OK;
        context.Response.ContentType = "application/grpc";
        context.Response.Headers["grpc-status"] = ((int)exception.StatusCode).ToString(CultureInfo.InvariantCulture);
        context.Response.Headers["grpc-message"] = Uri.EscapeDataString(ErrorTable.Tell(RpcErrors.Read(exception)));
        if (exception.Trailers.GetValueBytes(RpcErrors.DetailsTrailer) is { } details)
        {
            context.Response.Headers[RpcErrors.DetailsTrailer] = Convert.ToBase64String(details).TrimEnd('=');
        }
    }

    /// <summary>
    /// Says who calls, and about which sandbox, in place of whatever the client says of that, and has answers forgotten that the call may have
    /// changed before the client has its own. Where a node does not have the sandbox any more, the truth takes the place of its answer.
    /// </summary>
    private sealed class CallerTransformer(CallerIdentity caller, string sandboxId, KeptAnswers? changes, SandboxLocator? locator) : HttpTransformer
    {
        /// <summary>What is to be answered instead of what the node said; null when that is passed on.</summary>
        public RpcException? Instead { get; private set; }

        public override async ValueTask<bool> TransformResponseAsync(HttpContext httpContext, HttpResponseMessage? proxyResponse, CancellationToken cancellationToken)
        {
            changes?.Forget(caller.OrganizationId);
            try
            {
                if (sandboxId.Length > 0 && locator is not null && FailureOf(proxyResponse) is { } failure)
                {
                    await locator.FailedAsync(caller, sandboxId, failure);
                }
            }
            catch (RpcException truth)
            {
                Instead = truth;
                return false;
            }

            return await base.TransformResponseAsync(httpContext, proxyResponse, cancellationToken);
        }

        // An answer without any message has its trailers among its headers.
        private static RpcException? FailureOf(HttpResponseMessage? response)
        {
            if (response is null || !response.Headers.TryGetValues("grpc-status", out var statuses) || !int.TryParse(statuses.First(), CultureInfo.InvariantCulture, out var status))
            {
                return null;
            }

            var trailers = new Metadata();
            if (response.Headers.TryGetValues(RpcErrors.DetailsTrailer, out var details))
            {
                var value = details.First().TrimEnd('=');
                trailers.Add(RpcErrors.DetailsTrailer, Convert.FromBase64String(value.PadRight((value.Length + 3) / 4 * 4, '=')));
            }

            return new RpcException(new Status((StatusCode)status, ""), trailers);
        }

        public override async ValueTask TransformRequestAsync(HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
        {
            await base.TransformRequestAsync(httpContext, proxyRequest, destinationPrefix, cancellationToken);
            foreach (var name in httpContext.Request.Headers.Keys.Where(n => n.StartsWith("corral-", StringComparison.OrdinalIgnoreCase)))
            {
                proxyRequest.Headers.Remove(name);
            }

            proxyRequest.Headers.Authorization = null;
            proxyRequest.Headers.Remove("leap0-authorization");
            foreach (var entry in caller.ToMetadata())
            {
                proxyRequest.Headers.TryAddWithoutValidation(entry.Key, entry.Value);
            }

            if (sandboxId.Length > 0)
            {
                proxyRequest.Headers.TryAddWithoutValidation(CallerIdentity.SandboxKey, sandboxId);
            }
        }
    }
}
