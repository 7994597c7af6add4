using System.Collections.Immutable;

namespace Corral.Egress.Policies;

/// <summary>What a policy says about a name.</summary>
/// <param name="Rule">What lets it through, as the audit tells it; null when nothing does.</param>
/// <param name="Transform">What is done to its requests; null for nothing.</param>
/// <param name="Placeholders">What is replaced in its requests.</param>
internal readonly record struct NameMatch(string? Rule, PolicyTransform? Transform, ImmutableArray<SecretPlaceholder> Placeholders)
{
    public static readonly NameMatch None = new(null, null, []);

    public bool Allowed => Rule is not null;

    /// <summary>Whether the rule names exactly one name, so that asking for it tells nobody anything.</summary>
    public bool IsExact => Rule is not null && Rule.Contains(':', StringComparison.Ordinal) && !Rule.Contains('*', StringComparison.Ordinal);

    /// <summary>Whether its TLS has to be ended here, because its requests are changed.</summary>
    public bool IsTransformed => Allowed && (Transform is not null || Placeholders.Length > 0);
}
