using Corral.Api.V1;
using Corral.Security.Tests.Lab;
using Xunit;

namespace Corral.Security.Tests.Egress;

/// <summary>Names that disagree: of the address, of the question to the resolver, of the ClientHello.</summary>
public sealed class NameAttackTests(SecurityLab lab)
{
    // TLS alert 49 is access_denied.
    private const string Alert = "alert 49", Reset = "ECONNRESET|closed";

    private static readonly AttackFamily Family = new("names", Policies.Usual)
    {
        { "a name that is not allowed at the attackers address", Alert, Refused("NAME_NOT_ALLOWED", "evil.test", 443) with { Address = "203.0.113.66" } },
        { "an allowed name at the attackers address", "200 203.0.113.10", AuditLine.Passed(EgressKind.Connection) with { Name = "allowed.test", Address = "203.0.113.10", Port = 443 } },
        { "the attackers name on a connection to an allowed name", Alert, Refused("SERVER_NAME_MISMATCH", "allowed.test", 443) },
        { "another allowed name on a connection to an allowed name", Alert, Refused("SERVER_NAME_MISMATCH", "allowed.test", 8443) },
        { "the name of a secret on a connection to a name at the same address", Alert, Refused("SERVER_NAME_MISMATCH", "allowed.test", 443) },
        { "an allowed name on a connection to the name of a secret", Alert, Refused("SERVER_NAME_MISMATCH", "inject.test", 443) },
        { "no server name on a connection to an allowed name", Alert, Refused("SERVER_NAME_MISSING", "allowed.test", 443) },
        { "no server name on a connection to the name of a secret", Alert, Refused("SERVER_NAME_MISSING", "inject.test", 443) },
        { "no server name at the attackers address", Alert, Refused("ADDRESS_NOT_ALLOWED", null, 8443) },
        { "an address as server name", Alert, Refused("ADDRESS_NOT_ALLOWED", null, 9443) },
        { "the attackers name in upper case", Alert, Refused("SERVER_NAME_MISMATCH", "other.test", 443) },
        { "the attackers name with a dot at its end", Alert, Refused("SERVER_NAME_MISMATCH", "other.test", 8443) },
        { "an allowed name before the attackers", Alert, Refused("NAME_NOT_ALLOWED", "allowed.test.evil.test", 443) },
        { "an allowed name at the end of the attackers", Alert, Refused("NAME_NOT_ALLOWED", "evilallowed.test", 443) },
        { "a name below an allowed one that is no wildcard", Alert, Refused("NAME_NOT_ALLOWED", "sub.allowed.test", 443) },
        { "the apex of a wildcard", Alert, Refused("NAME_NOT_ALLOWED", "wild.test", 443) },
        { "a name that only ends like a wildcard", Alert, Refused("NAME_NOT_ALLOWED", "evilwild.test", 443) },
        { "the wildcard itself as server name", Alert, Refused("ADDRESS_NOT_ALLOWED", null, 4431) },
        { "a nul after an allowed name", Alert, Refused("HELLO_MALFORMED", "allowed.test", 4432) },
        { "a letter of another alphabet", Alert, Refused("HELLO_MALFORMED", "allowed.test", 4433) },
        { "punycode that looks like an allowed name", Alert, Refused("NAME_NOT_ALLOWED", "xn--llowed-3ve.test", 443) },
        { "empty labels in an allowed name", Alert, Refused("HELLO_MALFORMED", "allowed.test", 4434) },
        { "two server names in one hello", Alert, Refused("HELLO_MALFORMED", "allowed.test", 4435) },
        { "two extensions of server names", Alert, Refused("HELLO_MALFORMED", "allowed.test", 4436) },
        { "the attackers name in pieces of one byte", Alert, Refused("SERVER_NAME_MISMATCH", "allowed.test", 4437) },
        { "the attackers name over many records", Alert, Refused("SERVER_NAME_MISMATCH", "allowed.test", 4438) },
        { "a hello that never ends", Alert, Refused("HELLO_TIMEOUT", "allowed.test", 4439) },
        { "silence and then the attackers name", Alert, Refused("SERVER_NAME_MISMATCH", "allowed.test", 8443) },
        { "silence at the attackers address", Reset, Refused("ADDRESS_NOT_ALLOWED", null, 22) },
        { "a banner in place of a hello at the attackers address", Reset, Refused("ADDRESS_NOT_ALLOWED", null, 4440) },
        { "garbage before the hello at the attackers address", Reset, Refused("ADDRESS_NOT_ALLOWED", null, 4441) },
        { "an encrypted hello under the attackers outer name", Alert, Refused("SERVER_NAME_MISMATCH", "allowed.test", 4442) },
        { "early data for the attackers name", Alert, Refused("SERVER_NAME_MISMATCH", "allowed.test", 4443) },
        { "a hello of ssl 2 at the attackers address", Reset, Refused("ADDRESS_NOT_ALLOWED", null, 4444) },
        { "a hello on the port of plain requests", Alert, Refused("SERVER_NAME_MISMATCH", "allowed.test", 80) },
        { "a plain request on the port of tls", "421 HOST_MISMATCH", AuditLine.Request("HOST_MISMATCH") with { Name = "allowed.test", Port = 443 } },
        { "a secret wanted on a port of the attackers choice", "200 203.0.113.10", AuditLine.Passed(EgressKind.Connection) with { Name = "inject.test", Port = 8443 } },
        { "mail to an allowed name", Reset, Refused("PORT_DENIED", "allowed.test", 25) },
    };

    public static IEnumerable<TheoryDataRow<string, string, string>> Attacks => Family.Everywhere();

    [Theory]
    [MemberData(nameof(Attacks))]
    public Task Attack_ReachesNothingThatThePolicyDoesNotAllow_AndIsOnRecord(string attack, string isolation, string user) =>
        Family.AssertRefusedAsync(lab, attack, isolation, user);

    private static AuditLine Refused(string reason, string? name, int port) => AuditLine.Connection(reason) with { Name = name ?? "", Port = port };
}
