namespace Corral.Egress.Dns;

/// <summary>What became of a question.</summary>
/// <param name="Answer">What is answered.</param>
/// <param name="Rule">What let it through; empty when it was refused.</param>
/// <param name="Reason">Why it was refused, or why there is no address; empty otherwise.</param>
internal readonly record struct DnsDecision(DnsAnswer Answer, string Rule, string Reason)
{
    public static DnsDecision Allow(DnsAnswer answer, string rule, string reason = "") => new(answer, rule, reason);

    public static DnsDecision Refuse(DnsCode code, string reason) => new(new DnsAnswer(code, IsBlocked: true), "", reason);
}
