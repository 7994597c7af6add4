using System.Net;
using Corral.Egress.Audit;
using Corral.Egress.Flows;
using Corral.Egress.Policies;
using Corral.Egress.V1;
using Microsoft.AspNetCore.Http.Features;
using Yarp.ReverseProxy.Forwarder;

namespace Corral.Egress.Termination;

/// <summary>Serves one request of a sandbox, and puts it on record.</summary>
/// <remarks>1 judge, 2 choose the connections to its server, 3 forward, 4 answer what could not be forwarded, 5 record.</remarks>
internal sealed partial class RequestHandler(
    UpstreamTable upstreams, IHttpForwarder forwarder, AuditLog audit, EgressTelemetry telemetry, TimeProvider clock, EgressOptions options, ILogger<RequestHandler> log)
{
    private const int LongestPath = 2048;

    // The client's own version upstream: an upgrade needs HTTP/1.1, and trailers and streams in both directions need HTTP/2.
    private readonly ForwarderRequestConfig _http1 = new()
    {
        Version = HttpVersion.Version11,
        VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        ActivityTimeout = options.RequestSilence,
    };

    private readonly ForwarderRequestConfig _http2 = new()
    {
        Version = HttpVersion.Version20,
        VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
        ActivityTimeout = options.RequestSilence,
    };

    private readonly ForwarderRequestConfig _plainHttp2 = new()
    {
        Version = HttpVersion.Version20,
        VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        ActivityTimeout = options.RequestSilence,
    };

    public async Task HandleAsync(HttpContext context)
    {
        var started = clock.GetTimestamp();
        var flow = context.Features.Get<Flow>()!;
        var record = NewRecord(context, flow);
        try
        {
            // 1
            var policy = flow.Sandbox.Policy;
            var verdict = RequestJudge.Judge(context, flow, policy);
            if (verdict.Refusal is { } refusal)
            {
                record.Reason = refusal;
                await RequestAnswers.RefuseAsync(context, refusal);
                return;
            }

            record.Allowed = true;
            record.Rule = verdict.Match.Rule;
            await ForwardAsync(context, flow, verdict, policy, record);
        }
        catch (OperationCanceledException)
        {
            record.Reason = flow.CloseReason ?? Refusals.ClientClosed;
        }
        catch (Exception problem)
        {
            record.Reason = Refusals.Failed;
            LogFailed(problem, flow.Sandbox.Id);
            context.Abort();
        }
        finally
        {
            // 5
            flow.Answered();
            record.Status = context.Response.StatusCode;
            record.DurationMs = (long)clock.GetElapsedTime(started).TotalMilliseconds;
            telemetry.Request(record.Allowed, record.Reason);
            audit.Record(flow.Sandbox, record);
        }
    }

    private async Task ForwardAsync(HttpContext context, Flow flow, RequestVerdict verdict, EgressPolicy policy, AuditRecord record)
    {
        var scheme = flow.Protocol == FlowProtocol.Tls ? Uri.UriSchemeHttps : Uri.UriSchemeHttp;
        var prefix = $"{scheme}://{flow.Name}:{flow.Destination.Port}";
        if (!Uri.TryCreate(prefix + verdict.Target, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }, out var target))
        {
            record.Allowed = false;
            record.Reason = Refusals.RequestMalformed;
            await RequestAnswers.RefuseAsync(context, Refusals.RequestMalformed);
            return;
        }

        DropForeignUpgrade(context.Request.Headers);
        // 2
        var client = upstreams.For(flow.Sandbox, flow.Name!, flow.Destination.Port, policy);
        var transformer = new RequestTransformer(target, flow, policy, verdict.Match);
        var counted = CountedBodies.Wrap(context);

        // 3
        var error = await forwarder.SendAsync(context, prefix, client.Invoker, ConfigOf(context, flow), transformer, flow.Closing);
        record.SentBytes = counted.Sent;
        record.ReceivedBytes = counted.Received;
        record.Address = client.Remote?.Address.ToString() ?? "";
        record.InjectedHeaders.Add(transformer.Injected);
        record.Secrets.Add(transformer.Secrets);

        // 4
        if (error != ForwarderError.None)
        {
            var failure = context.RequestAborted.IsCancellationRequested && flow.CloseReason is null
                ? UpstreamFailure.ClientClosed
                : UpstreamFailure.Of(error, context.Features.Get<IForwarderErrorFeature>()?.Exception, flow);
            record.Reason = failure.Reason;
            record.Allowed = failure.Allowed;
            await RequestAnswers.FailAsync(context, failure.Reason);
        }
    }

    // A WebSocket stays what its one request was judged to be. What else a connection may be upgraded to (h2c, SPDY) carries requests of its own,
    // which nobody would judge; a server is free not to (RFC 9110, section 7.8).
    private static void DropForeignUpgrade(IHeaderDictionary headers)
    {
        if (!string.Equals(headers.Upgrade, RequestJudge.WebSocket, StringComparison.OrdinalIgnoreCase))
        {
            headers.Remove("Upgrade");
        }
    }

    private ForwarderRequestConfig ConfigOf(HttpContext context, Flow flow) =>
        !HttpProtocol.IsHttp2(context.Request.Protocol) ? _http1 : flow.Protocol == FlowProtocol.Tls ? _http2 : _plainHttp2;

    private static AuditRecord NewRecord(HttpContext context, Flow flow) => new()
    {
        Kind = AuditKind.Request,
        Name = flow.Name,
        Address = flow.Destination.Address.ToString(),
        Port = flow.Destination.Port,
        Method = context.Request.Method,
        Path = PathOf(context.Features.Get<IHttpRequestFeature>()!.RawTarget),
    };

    // Without its query, where tokens are.
    private static string PathOf(string target)
    {
        var end = target.IndexOfAny(['?', '#']);
        return target[..Math.Min(end < 0 ? target.Length : end, LongestPath)];
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "A request of {SandboxId} failed.")]
    private partial void LogFailed(Exception problem, string sandboxId);
}
