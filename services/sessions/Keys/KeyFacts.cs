namespace Corral.Sessions.Keys;

/// <summary>What may be told of a key. The key itself is nowhere, only its SHA-256.</summary>
/// <param name="Id">Its own id.</param>
/// <param name="Name">For people.</param>
/// <param name="Hint">The last characters of its text.</param>
/// <param name="Scopes">What it may do; empty means everything.</param>
/// <param name="CreatedAt">When it was made.</param>
/// <param name="ExpiresAt">When it stops working; null for never.</param>
/// <param name="RevokedAt">When it was revoked; null when it was not.</param>
internal sealed record KeyFacts(
    string Id, string Name, string Hint, IReadOnlyList<string> Scopes, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt, DateTimeOffset? RevokedAt = null);
