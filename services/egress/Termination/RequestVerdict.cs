using Corral.Egress.Policies;

namespace Corral.Egress.Termination;

/// <summary>What was decided about one request.</summary>
/// <param name="Match">What the policy says about its name; asked only of a request that may pass.</param>
/// <param name="Target">Its target, as it goes on the wire: the client's own, byte for byte.</param>
/// <param name="Refusal">Why it may not pass; null when it may.</param>
internal readonly record struct RequestVerdict(NameMatch Match, string Target, string? Refusal)
{
    public static RequestVerdict Pass(NameMatch match, string target) => new(match, target, null);

    public static RequestVerdict Refuse(string reason) => new(NameMatch.None, "", reason);
}
