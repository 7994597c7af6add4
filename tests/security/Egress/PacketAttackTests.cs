using Corral.Security.Tests.Lab;
using Xunit;

namespace Corral.Security.Tests.Egress;

/// <summary>Everything that is no plain TCP connection, and everything that would change the sandbox's own network.</summary>
public sealed class PacketAttackTests(SecurityLab lab)
{
    // What kernels say to what they do not know, or do not let this process do.
    private const string Unknown = "EPERM|EACCES|EAFNOSUPPORT|EPROTONOSUPPORT|ESOCKTNOSUPPORT|EINVAL|ENOSYS|ENOPROTOOPT|EOPNOTSUPP|EADDRNOTAVAIL|ENOTSUP";
    private const string Undelivered = "EHOSTUNREACH|ENETUNREACH|ECONNREFUSED|EACCES|EPERM|timeout|EADDRNOTAVAIL";
    private const string Reset = "ECONNRESET|closed";

    private static readonly AttackFamily Family = WithFamilies(new("packets", Policies.Usual)
    {
        { "a datagram", Undelivered, NoListener },
        { "a datagram to an allowed host", Undelivered, NoListener },
        { "a datagram to a listed range", Undelivered, NoListener },
        { "quic", Undelivered, NoListener },
        { "a datagram to the gate", Undelivered, NoListener },
        { "multicast", Undelivered, NoListener },
        { "a broadcast", Undelivered, NoListener },
        { "a broadcast to everybody", Undelivered, NoListener },
        { "an echo request by an unprivileged socket", Unknown + "|" + Undelivered, NoListener },
        { "an echo request by a raw socket", Unknown, NoPacket },
        { "a whole packet by a raw socket", Unknown, NoPacket },
        { "generic routing encapsulation", Unknown, NoPacket },
        { "a packet in a packet", Unknown, NoPacket },
        { "an encrypted packet", Unknown, NoPacket },
        { "a raw socket of ipv6", Unknown, NoPacket },
        { "a frame by a packet socket", Unknown, NoPacket },
        { "a forged answer of address resolution", Unknown, NoPacket },
        { "a stream of sctp", Unknown, NoPacket },
        { "congestion controlled datagrams", Unknown, NoPacket },
        { "light datagrams", Unknown + "|" + Undelivered, NoListener },
        { "a connection of many paths", Reset + "|" + Unknown, AuditLine.None("a kernel may not know it; where it does, it falls back to TCP, which is refused") },
        { "data in the first packet of a connection", Reset + "|EPIPE|" + Unknown, AuditLine.None("a kernel may not know it; where it does, it is refused as TCP") },
        { "a route of the senders choice", Reset + "|" + Unknown + "|" + Undelivered, AuditLine.None("a kernel or the gate may refuse the option") },
        { "a foreign source address", "EADDRNOTAVAIL", NoPacket },
        { "a transparent socket", Unknown, NoPacket },
        { "a mark that rules might obey", Unknown + "|" + Reset, NoPacket },
        { "a connection of ipv6", Unknown + "|ENETUNREACH|EHOSTUNREACH", NoPacket },
        { "another address", "refused", NoPacket },
        { "another route", "refused", NoPacket },
        { "another hardware address", "refused", NoPacket },
        { "another neighbour", "refused", NoPacket },
        { "another interface", "refused", NoPacket },
        { "an overlay to the attacker", "refused", NoPacket },
        { "a tunnel device", "refused", NoPacket },
        { "the device of tunnels", "ENOENT|EACCES|EPERM|ENXIO|EINVAL|ENOTTY", NoPacket },
        { "forwarding", "of no use|EROFS|EACCES|EPERM|ENOENT", NoPacket },
        { "a firewall of ones own", Unknown + "|timeout", NoPacket },
        { "the hypervisor", Unknown, NoPacket },
        { "a ring that makes sockets unseen", Unknown, NoPacket },
        { "a socket by the calls of another abi", "refused", NoPacket },
        { "a network of ones own with a way out", "refused", NoPacket },
        { "the network of another process", Unknown + "|ENOENT", NoPacket },
        { "a program in the kernel", Unknown, NoPacket },
        { "abstract sockets of the host", "none", NoPacket },
        { "sockets of the control plane", "none", NoPacket },
        { "devices of the host", "none", NoPacket },
        { "a device made by oneself", "EPERM|EACCES|ENXIO", NoPacket },
    });

    public static IEnumerable<TheoryDataRow<string, string, string>> Attacks => Family.Everywhere();

    private static AuditLine NoListener => AuditLine.None("the gate's rules refuse what is not TCP, and nobody listens for it");

    private static AuditLine NoPacket => AuditLine.None("the sandbox's kernel refuses it before there is a packet");

    [Theory]
    [MemberData(nameof(Attacks))]
    public Task Attack_IsRefusedByTheKernelOrTheGate(string attack, string isolation, string user) => Family.AssertRefusedAsync(lab, attack, isolation, user);

    private static AttackFamily WithFamilies(AttackFamily family)
    {
        foreach (var name in new[]
        {
            "the kernels cryptography", "cluster communication", "reliable datagrams", "shared memory communication", "express data paths", "key management",
            "controller networks", "bluetooth", "amateur radio", "kernel connections", "remote calls of the kernel", "qualcomm routers",
        })
        {
            family.Add($"a socket of {name}", Unknown, NoPacket);
        }

        return family;
    }
}
