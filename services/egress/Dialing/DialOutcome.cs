using System.Diagnostics.CodeAnalysis;

namespace Corral.Egress.Dialing;

/// <summary>A connection, or why there is none.</summary>
internal readonly record struct DialOutcome
{
    private DialOutcome(Upstream? upstream, string? refusal) => (Upstream, Refusal) = (upstream, refusal);

    public Upstream? Upstream { get; }

    /// <summary>One of <see cref="Flows.Refusals"/>.</summary>
    public string? Refusal { get; }

    [MemberNotNullWhen(true, nameof(Upstream))]
    [MemberNotNullWhen(false, nameof(Refusal))]
    public bool Succeeded => Upstream is not null;

    public static DialOutcome Connected(Upstream upstream) => new(upstream, null);

    public static DialOutcome Refused(string reason) => new(null, reason);
}
