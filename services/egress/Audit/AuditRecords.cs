using System.Globalization;
using System.Net;
using Corral.Egress.Dns;
using Corral.Egress.Flows;
using Corral.Egress.Policies;
using Corral.Egress.V1;

namespace Corral.Egress.Audit;

/// <summary>How what happened is written down.</summary>
internal static class AuditRecords
{
    private const int LongestName = 255;

    public static AuditRecord PolicyInForce(EgressPolicy policy) => new()
    {
        Kind = AuditKind.Policy,
        Allowed = true,
        Rule = string.Create(CultureInfo.InvariantCulture, $"policy:{policy.Version}"),
    };

    /// <summary>A connection that was not even looked at.</summary>
    public static AuditRecord Refused(IPEndPoint? destination, string reason) => new()
    {
        Kind = AuditKind.Connection,
        Address = destination?.Address.ToString() ?? "",
        Port = destination?.Port ?? 0,
        Reason = reason,
    };

    /// <summary>A connection that is over.</summary>
    public static AuditRecord Of(Flow flow, bool allowed, string reason, TimeSpan duration) => new()
    {
        Kind = AuditKind.Connection,
        Allowed = allowed,
        Name = flow.Name ?? flow.AskedName ?? flow.Hello.Name ?? "",
        Address = (allowed && flow.Remote is { } remote ? remote : flow.Destination).Address.ToString(),
        Port = flow.Destination.Port,
        Rule = allowed ? flow.Rule : "",
        Reason = reason,
        SentBytes = flow.SentBytes,
        ReceivedBytes = flow.ReceivedBytes,
        DurationMs = (long)duration.TotalMilliseconds,
    };

    /// <summary>A question, which may be of any form.</summary>
    public static AuditRecord Of(in DnsQuestion question, in DnsDecision decision, TimeSpan duration) => new()
    {
        Kind = AuditKind.Dns,
        Allowed = decision.Rule.Length > 0,
        Name = Printable(question.Name ?? ""),
        QuestionType = question.Name is null ? "" : DnsType.NameOf(question.Type),
        Rule = decision.Rule,
        Reason = decision.Reason,
        DurationMs = (long)duration.TotalMilliseconds,
    };

    private static string Printable(string name) =>
        name.AsSpan().ContainsAnyExceptInRange('!', '~') ? string.Concat(name.Take(LongestName).Select(c => c is >= '!' and <= '~' ? c : '?')) : name;
}
