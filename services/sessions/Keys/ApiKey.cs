namespace Corral.Sessions.Keys;

/// <summary>Whose key it is, and what it may do at this moment.</summary>
internal sealed record ApiKey(string Organization, string Id, IReadOnlyList<string> Scopes, string Plan, DateTimeOffset? ExpiresAt);
