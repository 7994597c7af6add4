using Corral.Security.Tests.Lab;
using Xunit;

namespace Corral.Security.Tests.Egress;

/// <summary>Addresses that no policy opens by itself, in every spelling, where everything public is allowed.</summary>
public sealed class AddressAttackTests(SecurityLab lab)
{
    private const string Reset = "ECONNRESET|closed";

    private static readonly AttackFamily Family = new("addresses", Policies.Everything)
    {
        { "metadata", "403 ADDRESS_DENIED", Denied("169.254.169.254", 80) },
        { "metadata under a public name", "403 ADDRESS_DENIED", Denied("169.254.169.254", 8080) },
        { "metadata over tls under a public name", "alert 49", Denied("169.254.169.254", 443) },
        { "metadata in decimal", Reset, Denied("169.254.169.254", 5001) },
        { "metadata in hexadecimal", Reset, Denied("169.254.169.254", 5002) },
        { "metadata in octal", Reset, Denied("169.254.169.254", 5003) },
        { "metadata in two parts", Reset, Denied("169.254.169.254", 5004) },
        { "metadata mapped into ipv6", Reset + "|" + Unreachable, AuditLine.None("a runtime may not carry mapped addresses") },
        { "metadata of containers", Reset, Denied("169.254.170.2", 5006) },
        { "metadata at another cloud", Reset, Denied("100.100.100.200", 5007) },
        { "metadata over ipv6", Unreachable, NoIpv6 },
        { "a private address", Reset, Denied("10.98.0.5", 5432) },
        { "a private address that the operator permits", Reset, Denied("10.99.0.5", 5432) },
        { "a private address of class b", Reset, Denied("172.16.77.5", 5432) },
        { "a private address of class c", Reset, Denied("192.168.77.5", 5432) },
        { "the host itself", Reset, Denied("203.0.113.1", 5432) },
        { "the secure shell of the host", Reset, Denied("203.0.113.1", 22) },
        { "the gate on a port of redis", Reset, Denied("100.64.0.1", 6379) },
        { "the gate on the port of its listener", Reset + "|ECONNREFUSED|EHOSTUNREACH|timeout", AuditLine.None("the kernel may refuse a connection that is not redirected") },
        { "the gate on a port of nobody", Reset, Denied("100.64.0.1", 1) },
        { "a neighbouring gate", Reset, Denied("100.64.0.5", 5432) },
        { "a neighbouring sandbox", Reset, Denied("100.64.0.6", 5432) },
        { "the gateway on the loopback", "ECONNREFUSED", Inside },
        { "the loopback by another address", "ECONNREFUSED", Inside },
        { "the address of nobody", "ECONNREFUSED|" + Unreachable, Inside },
        { "the guest of the sandbox", Reset, Inside },
        { "a synthetic address of no name", Reset, AuditLine.Connection("ADDRESS_UNKNOWN") with { Address = "198.18.77.77", Port = 5008 } },
        { "an address for benchmarks", Reset, AuditLine.Connection("ADDRESS_UNKNOWN") with { Address = "198.19.255.1", Port = 5009 } },
        { "an address of protocols", Reset, Denied("192.0.0.8", 5010) },
        { "a relay to ipv6", Reset, Denied("192.88.99.1", 5011) },
        { "a reserved address", Reset + "|" + Unreachable, AuditLine.None("a kernel may not route it") },
        { "a multicast address", Reset + "|" + Unreachable, AuditLine.None("a kernel may not connect to it") },
        { "the broadcast address", Reset + "|" + Unreachable, AuditLine.None("a kernel may not connect to it") },
        { "a public address of ipv6", Unreachable, NoIpv6 },
        { "a unique local address", Unreachable, NoIpv6 },
        { "a link local address", Unreachable, NoIpv6 },
        { "a translated address", Unreachable, NoIpv6 },
        { "a tunnelled address", Unreachable, NoIpv6 },
        { "a private address mapped into ipv6", Reset + "|" + Unreachable, AuditLine.None("a runtime may not carry mapped addresses") },
        { "a public address on the port of mail", Reset, AuditLine.Connection("PORT_DENIED") with { Address = "203.0.113.11", Port = 25 } },
        { "a name of a private address", "no such name", AuditLine.Question("private.test", "ADDRESS_DENIED") },
        { "a name of the metadata service", "no such name", AuditLine.Question("metadata.test", "ADDRESS_DENIED") },
        { "a name of the host", "no such name", AuditLine.Question("host.test", "ADDRESS_DENIED") },
    };

    private static string Unreachable => "ENETUNREACH|EADDRNOTAVAIL|EAFNOSUPPORT|EHOSTUNREACH|EINVAL|EACCES|ECONNREFUSED|ENODEV|timeout";

    private static AuditLine NoIpv6 => AuditLine.None("a sandbox has no IPv6 but its own loopback");

    private static AuditLine Inside => AuditLine.None("it does not leave the sandbox");

    public static IEnumerable<TheoryDataRow<string, string, string>> Attacks => Family.Everywhere();

    [Theory]
    [MemberData(nameof(Attacks))]
    public Task Address_IsRefusedInEveryMode_AndIsOnRecord(string attack, string isolation, string user) => Family.AssertRefusedAsync(lab, attack, isolation, user);

    private static AuditLine Denied(string address, int port) => AuditLine.Connection("ADDRESS_DENIED") with { Address = address, Port = port };
}
