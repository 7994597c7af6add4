using System.Globalization;
using Corral.Egress.Flows;
using Corral.Egress.Policies;
using Microsoft.AspNetCore.Http.Features;

namespace Corral.Egress.Termination;

/// <summary>Decides about one request, by the policy as it is now, whatever was decided about those before it.</summary>
/// <remarks>1 method, 2 authority against the connection's name, 3 policy, 4 secrets over TLS only, 5 no secret that was revoked, 6 target.</remarks>
internal static class RequestJudge
{
    public const string WebSocket = "websocket";

    private const int HttpPort = 80;
    private const int HttpsPort = 443;

    public static RequestVerdict Judge(HttpContext context, Flow flow, EgressPolicy policy)
    {
        // 1
        if (!IsCarried(context))
        {
            return RequestVerdict.Refuse(Refusals.MethodNotAllowed);
        }

        // 2
        if (!TryReadAuthority(context.Request.Host.Value, DefaultPort(flow), out var name, out var port))
        {
            return RequestVerdict.Refuse(Refusals.RequestMalformed);
        }

        if (name != flow.Name || port != flow.Destination.Port)
        {
            return RequestVerdict.Refuse(Refusals.HostMismatch);
        }

        // 3
        var match = policy.Match(name);
        if (!match.Allowed)
        {
            return RequestVerdict.Refuse(Refusals.NameNotAllowed);
        }

        // 4
        if (!MayCarrySecrets(flow) && match.Transform is { Inject.Length: > 0 })
        {
            return RequestVerdict.Refuse(Refusals.SecretNeedsTls);
        }

        // 5
        if (MayCarrySecrets(flow) && NeedsRevoked(context.Request.Headers, match))
        {
            return RequestVerdict.Refuse(Refusals.SecretRevoked);
        }

        // 6
        return TargetOf(context) is { } target
            ? RequestVerdict.Pass(match, target)
            : RequestVerdict.Refuse(Refusals.RequestMalformed);
    }

    /// <summary>A secret leaves over TLS to the port of HTTPS, and no other way.</summary>
    public static bool MayCarrySecrets(Flow flow) => flow.Protocol == FlowProtocol.Tls && flow.Destination.Port == HttpsPort;

    private static bool NeedsRevoked(IHeaderDictionary headers, NameMatch match) =>
        (match.Transform is { } transform && transform.Inject.Any(header => header.IsRevoked))
        || (match.Placeholders.Any(placeholder => placeholder.IsRevoked)
            && PlaceholderText.Stands(headers, [.. match.Placeholders.Where(placeholder => placeholder.IsRevoked)]));

    // A tunnel through the server would leave by another's policy; TRACE answers with the headers that it was sent.
    private static bool IsCarried(HttpContext context) =>
        HttpMethods.IsConnect(context.Request.Method)
            ? context.Features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true, Protocol: WebSocket }
            : !HttpMethods.IsTrace(context.Request.Method);

    private static int DefaultPort(Flow flow) => flow.Protocol == FlowProtocol.Tls ? HttpsPort : HttpPort;

    private static bool TryReadAuthority(string? authority, int defaultPort, out string name, out int port)
    {
        port = defaultPort;
        name = "";
        var host = authority.AsSpan();
        var colon = host.LastIndexOf(':');
        if (colon >= 0)
        {
            if (!int.TryParse(host[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out port))
            {
                return false;
            }

            host = host[..colon];
        }

        if (!DomainName.TryNormalize(host, out var normalised))
        {
            return false;
        }

        name = normalised;
        return true;
    }

    // The origin form of what the client sent: "/path?query" as it is, "http://host/path" without its head. "*" has none.
    private static string? TargetOf(HttpContext context)
    {
        var raw = context.Features.Get<IHttpRequestFeature>()!.RawTarget;
        if (raw.StartsWith('/'))
        {
            return raw;
        }

        var authority = raw.IndexOf("://", StringComparison.Ordinal);
        if (authority <= 0)
        {
            return null;
        }

        var end = raw.AsSpan(authority + 3).IndexOfAny('/', '?');
        var rest = end < 0 ? "" : raw[(authority + 3 + end)..];
        return rest.StartsWith('/') ? rest : "/" + rest;
    }
}
