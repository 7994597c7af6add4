using System.Net.Http.Headers;
using Corral.Egress.Policies;
using Corral.Egress.V1;
using Yarp.ReverseProxy.Forwarder;

namespace Corral.Egress.Termination;

/// <summary>What one request and its answer are changed by: strip, then inject; placeholders; and on the way back, no Alt-Svc.</summary>
/// <param name="target">Where it goes.</param>
/// <param name="match">What the policy says about its name.</param>
/// <param name="mayCarrySecrets">Whether its connection is one that secrets may leave by.</param>
internal sealed class RequestTransformer(Uri target, NameMatch match, bool mayCarrySecrets) : HttpTransformer
{
    private List<SecretUse>? _secrets;
    private List<string>? _injected;

    /// <summary>Names of the headers that were injected.</summary>
    public IEnumerable<string> Injected => _injected ?? [];

    /// <summary>The secrets that were used, each once.</summary>
    public IEnumerable<SecretUse> Secrets => _secrets?.Distinct() ?? [];

    public override async ValueTask TransformRequestAsync(HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
    {
        Change(httpContext.Request.Headers);
        await base.TransformRequestAsync(httpContext, proxyRequest, destinationPrefix, cancellationToken);
        // The host is the target's, in one spelling.
        proxyRequest.Headers.Host = null;
        proxyRequest.RequestUri = target;
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

        if (!mayCarrySecrets)
        {
            return;
        }

        if (match.Placeholders.Length > 0)
        {
            PlaceholderText.Replace(headers, match.Placeholders, placeholder => (_secrets ??= []).Add(placeholder.Secret));
        }

        foreach (var header in match.Transform?.Inject ?? [])
        {
            headers[header.Name] = header.Value;
            (_injected ??= []).Add(header.Name);
            if (header.Secrets.Length > 0)
            {
                (_secrets ??= []).AddRange(header.Secrets);
            }
        }
    }

    // A client of events or of gRPC waits for the headers before anything else is sent; an answer of gRPC that is an error has a status and no body.
    private static bool IsAwaited(HttpResponseMessage response) => response.Content.Headers.ContentType?.MediaType switch
    {
        null => false,
        "text/event-stream" => true,
        var type => type.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase) && !response.Headers.NonValidated.Contains("grpc-status"),
    };
}
