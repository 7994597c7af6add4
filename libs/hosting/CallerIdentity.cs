using Grpc.Core;

namespace Corral.Hosting;

/// <summary>On whose behalf a call is made. The gateway establishes it; the other services believe it, because only Corral's own processes reach their sockets.</summary>
/// <param name="OrganizationId">The organisation. Never empty.</param>
/// <param name="KeyId">The API key's own id.</param>
/// <param name="Scopes">What the key may do; empty means everything.</param>
/// <param name="RequestId">Names the client's request in every log.</param>
public sealed record CallerIdentity(string OrganizationId, string KeyId, IReadOnlyList<string> Scopes, string RequestId)
{
    /// <summary>Metadata key of the organisation.</summary>
    public const string OrganizationKey = "corral-organization";

    /// <summary>Metadata key of the API key's id.</summary>
    public const string KeyIdKey = "corral-key-id";

    /// <summary>Metadata key of the scopes, separated by spaces.</summary>
    public const string ScopesKey = "corral-scopes";

    /// <summary>Metadata key of the request's id.</summary>
    public const string RequestIdKey = "corral-request-id";

    /// <summary>The caller of an RPC; UNAUTHENTICATED when it names no organisation.</summary>
    public static CallerIdentity From(ServerCallContext context) => From(context.RequestHeaders);

    /// <summary>The caller that metadata names; UNAUTHENTICATED when it names no organisation.</summary>
    public static CallerIdentity From(Metadata headers)
    {
        var organization = headers.GetValue(OrganizationKey);
        if (string.IsNullOrEmpty(organization))
        {
            throw RpcErrors.Unauthenticated("INVALID_API_KEY", "Invalid or missing API key");
        }

        return new CallerIdentity(
            organization,
            headers.GetValue(KeyIdKey) ?? "",
            headers.GetValue(ScopesKey)?.Split(' ', StringSplitOptions.RemoveEmptyEntries) ?? [],
            headers.GetValue(RequestIdKey) ?? "");
    }

    /// <summary>Metadata that tells a called service who the caller is.</summary>
    public Metadata ToMetadata() => new()
    {
        { OrganizationKey, OrganizationId },
        { KeyIdKey, KeyId },
        { ScopesKey, string.Join(' ', Scopes) },
        { RequestIdKey, RequestId },
    };
}
