using Grpc.Core;

namespace Corral.Hosting;

/// <summary>On whose behalf a call is made. The gateway establishes it; the other services believe it, because only Corral's own processes reach their sockets.</summary>
/// <param name="OrganizationId">The organisation. Never empty.</param>
/// <param name="KeyId">The API key's own id.</param>
/// <param name="Scopes">What the key may do; empty means everything.</param>
/// <param name="RequestId">Names the client's request in every log.</param>
/// <param name="IdempotencyId">The same for a request that is made again, and for no other; empty when the client did not ask for that.</param>
public sealed record CallerIdentity(string OrganizationId, string KeyId, IReadOnlyList<string> Scopes, string RequestId, string IdempotencyId = "")
{
    /// <summary>Metadata key of the organisation.</summary>
    public const string OrganizationKey = "corral-organization";

    /// <summary>Metadata key of the API key's id.</summary>
    public const string KeyIdKey = "corral-key-id";

    /// <summary>Metadata key of the scopes, separated by spaces.</summary>
    public const string ScopesKey = "corral-scopes";

    /// <summary>Metadata key of the request's id.</summary>
    public const string RequestIdKey = "corral-request-id";

    /// <summary>Metadata key of what makes a repeated request the same.</summary>
    public const string IdempotencyIdKey = "corral-idempotency-id";

    /// <summary>
    /// Metadata key of a sandbox that the gateway found to be the organisation's. A service that knows nothing of a sandbox itself, because it is
    /// over, answers for this one only: what stands in the request may be another, where the gateway passes it on unread.
    /// </summary>
    public const string SandboxKey = "corral-sandbox";

    /// <summary>
    /// Metadata key with which the gateway asks a launch where the sandbox runs, and of the trailer that says it: the next call goes there without
    /// another question.
    /// </summary>
    public const string PlaceKey = "corral-place";

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
            headers.GetValue(RequestIdKey) ?? "",
            headers.GetValue(IdempotencyIdKey) ?? "");
    }

    /// <summary>Metadata that tells a called service who the caller is.</summary>
    public Metadata ToMetadata()
    {
        var metadata = new Metadata
        {
            { OrganizationKey, OrganizationId },
            { KeyIdKey, KeyId },
            { ScopesKey, string.Join(' ', Scopes) },
            { RequestIdKey, RequestId },
        };
        if (IdempotencyId.Length > 0)
        {
            metadata.Add(IdempotencyIdKey, IdempotencyId);
        }

        return metadata;
    }
}
