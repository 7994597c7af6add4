using Corral.Api.V1;

namespace Corral.Security.Tests.Egress;

/// <summary>A line of the egress log, as far as an attack determines it.</summary>
internal sealed record AuditLine
{
    private AuditLine(EgressKind kind, bool allowed, string reason) => (Kind, Allowed, Reason) = (kind, allowed, reason);

    public EgressKind Kind { get; }

    public bool Allowed { get; }

    /// <summary>Why it was refused; empty when it was not. Or, without a line, why there is none.</summary>
    public string Reason { get; }

    public string? Name { get; init; }

    public string? Address { get; init; }

    public int? Port { get; init; }

    public string? Path { get; init; }

    /// <summary>Whether there is a line at all.</summary>
    public bool Exists => Kind != EgressKind.Unspecified;

    /// <summary>There is none, because nothing came as far as the gate's listeners.</summary>
    public static AuditLine None(string because) => new(EgressKind.Unspecified, false, because);

    public static AuditLine Connection(string reason) => new(EgressKind.Connection, false, reason);

    public static AuditLine Request(string reason) => new(EgressKind.Request, false, reason);

    public static AuditLine Question(string name, string reason) => new(EgressKind.Dns, false, reason) { Name = name };

    /// <summary>It was let through, to where the policy lets it: not where the attacker wanted.</summary>
    public static AuditLine Passed(EgressKind kind) => new(kind, true, "");

    public bool Is(EgressRecord record) =>
        record.Kind == Kind && record.Allowed == Allowed && record.Reason == Reason
        && (Name is null || record.Name == Name) && (Address is null || record.Address == Address)
        && (Port is null || record.Port == Port) && (Path is null || record.Path == Path);
}
