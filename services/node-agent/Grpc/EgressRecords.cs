using Corral.Api.V1;
using Corral.Egress.V1;

namespace Corral.NodeAgent.Grpc;

/// <summary>Records of egress, as their organisation sees them.</summary>
internal static class EgressRecords
{
    public static EgressRecord Public(AuditRecord record)
    {
        var shown = new EgressRecord
        {
            Sequence = record.Sequence,
            Time = record.Time,
            Kind = record.Kind switch
            {
                AuditKind.Dns => EgressKind.Dns,
                AuditKind.Connection => EgressKind.Connection,
                AuditKind.Request => EgressKind.Request,
                AuditKind.Policy => EgressKind.Policy,
                _ => EgressKind.Unspecified,
            },
            Allowed = record.Allowed,
            SentBytes = record.SentBytes,
            ReceivedBytes = record.ReceivedBytes,
            DurationMs = record.DurationMs,
            InjectedHeaders = { record.InjectedHeaders },
            Secrets = { record.Secrets.Select(secret => new UsedSecret { Name = secret.Name, Version = secret.Version }) },
        };
        if (record.Name.Length > 0) shown.Name = record.Name;
        if (record.Address.Length > 0) shown.Address = record.Address;
        if (record.Port > 0) shown.Port = record.Port;
        if (record.Rule.Length > 0) shown.Rule = record.Rule;
        if (record.Reason.Length > 0) shown.Reason = record.Reason;
        if (record.Method.Length > 0) shown.Method = record.Method;
        if (record.Path.Length > 0) shown.Path = record.Path;
        if (record.Status > 0) shown.Status = record.Status;
        if (record.QuestionType.Length > 0) shown.QuestionType = record.QuestionType;
        return shown;
    }
}
