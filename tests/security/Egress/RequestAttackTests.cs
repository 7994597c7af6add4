using Corral.Security.Tests.Lab;
using Xunit;

namespace Corral.Security.Tests.Egress;

/// <summary>Requests in plain HTTP whose host is another, however it is said.</summary>
public sealed class RequestAttackTests(SecurityLab lab)
{
    private static readonly AttackFamily Family = new("requests", Policies.Usual)
    {
        { "a foreign host", "421 HOST_MISMATCH", Refused("HOST_MISMATCH", "/foreign") },
        { "the host of a secret", "421 HOST_MISMATCH", Refused("HOST_MISMATCH", "/of-a-secret") },
        { "another allowed host", "421 HOST_MISMATCH", Refused("HOST_MISMATCH", "/other-allowed") },
        { "two hosts", "400", Unread },
        { "no host", "400", Unread },
        { "no host in http 1 0", "400 REQUEST_MALFORMED", Refused("REQUEST_MALFORMED", "/old") },
        { "an address for a host", "400 REQUEST_MALFORMED", Refused("REQUEST_MALFORMED", "/address") },
        { "a target with a foreign authority", "400", Unread },
        { "an allowed target with a foreign host", "400", Unread },
        { "a tunnel through the server", "405 METHOD_NOT_ALLOWED|400", AuditLine.None("the server refuses the target before there is a request") },
        { "a trace", "405 METHOD_NOT_ALLOWED", Refused("METHOD_NOT_ALLOWED", "/trace") },
        { "a second request for a foreign host", "200 203.0.113.10 421 HOST_MISMATCH", Refused("HOST_MISMATCH", "/second") },
        { "a pipelined request for a foreign host", "200 203.0.113.10 421 HOST_MISMATCH", Refused("HOST_MISMATCH", "/piped-foreign") },
        { "a foreign port in the host", "421 HOST_MISMATCH", Refused("HOST_MISMATCH", "/port") },
        { "a foreign host after a user", "400.*", Unread },
        { "a foreign host after a port", "400.*", Unread },
        { "a list of hosts", "400.*", Unread },
        { "a foreign host before a tab", "400.*", Unread },
        { "a host on two lines", "400.*", Unread },
        { "a space before the colon of a second host", "400.*", Unread },
        { "a nul in the host", "400.*", Unread },
        { "a foreign host to the attackers address", "403 NAME_NOT_ALLOWED", AuditLine.Connection("NAME_NOT_ALLOWED") with { Name = "evil.test", Address = "203.0.113.66", Port = 80 } },
        { "an allowed host to the attackers address", "200 203.0.113.10", AuditLine.Passed(Api.V1.EgressKind.Request) with { Name = "allowed.test", Address = "203.0.113.10", Path = "/by-host" } },
        { "a decimal address as host", "40[03] .*", AuditLine.Connection("ADDRESS_NOT_ALLOWED") with { Address = "203.0.113.66", Port = 80 } },
        { "a hexadecimal address as host", "40[03] .*", AuditLine.Connection("ADDRESS_NOT_ALLOWED") with { Address = "203.0.113.66", Port = 80 } },
        { "an octal address as host", "40[03] .*", AuditLine.Connection("ADDRESS_NOT_ALLOWED") with { Address = "203.0.113.66", Port = 80 } },
        { "a mapped address as host", "40[03] .*", AuditLine.Connection("ADDRESS_NOT_ALLOWED") with { Address = "203.0.113.66", Port = 80 } },
        { "a method that nobody knows", "421 HOST_MISMATCH", Refused("HOST_MISMATCH", "/unknown") },
        { "empty lines before a foreign request", "421 HOST_MISMATCH", Refused("HOST_MISMATCH", "/empty-lines") },
        { "lines without carriage returns", "421 HOST_MISMATCH|400", AuditLine.None("the server may refuse such lines") },
        { "a request after the server has spoken", ".*403 LATE_HELLO|", AuditLine.Connection("LATE_HELLO") with { Name = "allowed.test", Port = 22 } },
        { "an upgrade to http 2", "200 203.0.113.10", AuditLine.Passed(Api.V1.EgressKind.Request) with { Path = "/upgrade-h2c" } },
        { "an upgrade to a protocol of the attackers", "200 203.0.113.10", AuditLine.Passed(Api.V1.EgressKind.Request) with { Path = "/upgrade-own" } },
        { "an upgrade to streams of another kind", "200 203.0.113.10", AuditLine.Passed(Api.V1.EgressKind.Request) with { Path = "/upgrade-spdy" } },
        { "an upgrade to several protocols", "200 203.0.113.10", AuditLine.Passed(Api.V1.EgressKind.Request) with { Path = "/upgrade-many" } },
        { "an upgrade to tls", "200 203.0.113.10", AuditLine.Passed(Api.V1.EgressKind.Request) with { Path = "/upgrade-tls" } },
        { "streams of http 2 for foreign hosts", "HOST_MISMATCH HOST_MISMATCH", Refused("HOST_MISMATCH", "/h2-1") },
        { "a tunnel of http 2", "METHOD_NOT_ALLOWED|reset \\d+", AuditLine.None("the server may refuse it before there is a request") },
        { "a secret wanted in plain text", "403 SECRET_NEEDS_TLS", Refused("SECRET_NEEDS_TLS", "/plain") },
    };

    public static IEnumerable<TheoryDataRow<string, string, string>> Attacks => Family.Everywhere();

    // Broken requests end where they are parsed: there is no path or host that could be put on record.
    private static AuditLine Unread => AuditLine.None("what cannot be read as a request is none");

    [Theory]
    [MemberData(nameof(Attacks))]
    public Task Attack_IsAnsweredByTheGate_AndOnRecord(string attack, string isolation, string user) => Family.AssertRefusedAsync(lab, attack, isolation, user);

    private static AuditLine Refused(string reason, string path) => AuditLine.Request(reason) with { Path = path };
}
