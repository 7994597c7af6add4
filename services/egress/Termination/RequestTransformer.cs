using System.Collections.Immutable;
using System.Net.Http.Headers;
using Corral.Egress.Flows;
using Corral.Egress.Policies;
using Corral.Egress.V1;
using Yarp.ReverseProxy.Forwarder;

namespace Corral.Egress.Termination;

/// <summary>What one request and its answer are changed by: strip, then inject; placeholders; and on the way back, no Alt-Svc.</summary>
/// <param name="target">Where it goes.</param>
/// <param name="flow">What it came by.</param>
/// <param name="policy">What it was judged by.</param>
/// <param name="match">What that says about its name.</param>
internal sealed class RequestTransformer(Uri target, Flow flow, EgressPolicy policy, NameMatch match) : HttpTransformer
{
    private static readonly HttpRequestOptionsKey<RequestTransformer> Key = new("corral.transformer");

    private ImmutableArray<HeaderInjection> _injected = [];
    private List<SecretPlaceholder>? _replaced;

    /// <summary>Names of the headers that were injected.</summary>
    public IEnumerable<string> Injected => _injected.Select(header => header.Name);

    /// <summary>The secrets that were used, each once.</summary>
    public IEnumerable<SecretUse> Secrets => Replaced.Select(placeholder => placeholder.Secret).Concat(_injected.SelectMany(header => header.Secrets)).Distinct();

    private IEnumerable<SecretPlaceholder> Replaced => _replaced ?? [];

    /// <summary>Refuses to send a request with a value that was revoked or replaced after it was put in: it may have waited for a connection.</summary>
    public static void CheckInForce(HttpRequestMessage request)
    {
        if (request.Options.TryGetValue(Key, out var transformer) && !transformer.IsInForce())
        {
            throw new UpstreamRefusedException(Refusals.PolicyChanged);
        }
    }

    public override async ValueTask TransformRequestAsync(HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
    {
        Change(httpContext.Request.Headers);
        await base.TransformRequestAsync(httpContext, proxyRequest, destinationPrefix, cancellationToken);
        // The host is the target's, in one spelling.
        proxyRequest.Headers.Host = null;
        proxyRequest.RequestUri = target;
        proxyRequest.Options.Set(Key, this);
    }

    public override async ValueTask<bool> TransformResponseAsync(HttpContext httpContext, HttpResponseMessage? proxyResponse, CancellationToken cancellationToken)
    {
        var copied = await base.TransformResponseAsync(httpContext, proxyResponse, cancellationToken);
        // It names other ports and protocols, which are not carried.
        httpContext.Response.Headers.AltSvc = default;
        if (copied && IsAwaited(proxyResponse!))
        {
            await httpContext.Response.StartAsync(cancellationToken);
            await httpContext.Response.Body.FlushAsync(cancellationToken);
        }

        return copied;
    }

    // On the client's own headers, so that what is copied from them afterwards needs no second look.
    private void Change(IHeaderDictionary headers)
    {
        foreach (var name in match.Transform?.Strip ?? [])
        {
            headers.Remove(name);
        }

        if (!RequestJudge.MayCarrySecrets(flow))
        {
            return;
        }

        if (match.Placeholders.Length > 0)
        {
            PlaceholderText.Replace(headers, match.Placeholders, placeholder => (_replaced ??= []).Add(placeholder));
        }

        _injected = match.Transform?.Inject ?? [];
        foreach (var header in _injected)
        {
            headers[header.Name] = header.Value;
        }
    }

    // Whether all that it put in is what the policy says now.
    private bool IsInForce()
    {
        var current = flow.Sandbox.Policy;
        if (ReferenceEquals(current, policy))
        {
            return true;
        }

        var now = current.Match(flow.Name!);
        return _injected.All(header => now.Transform?.Inject.Any(other => other.Name == header.Name && other.Value == header.Value) == true)
            && Replaced.All(placeholder => now.Placeholders.Any(other => other.Text == placeholder.Text && other.Value == placeholder.Value));
    }

    // A client of events or of gRPC waits for the headers before anything else is sent; an answer of gRPC that is an error has a status and no body.
    private static bool IsAwaited(HttpResponseMessage response) => response.Content.Headers.ContentType?.MediaType switch
    {
        null => false,
        "text/event-stream" => true,
        var type => type.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase) && !response.Headers.NonValidated.Contains("grpc-status"),
    };
}
