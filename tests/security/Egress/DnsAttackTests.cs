using Corral.Api.V1;
using Corral.Security.Tests.Lab;
using Xunit;

namespace Corral.Security.Tests.Egress;

/// <summary>Questions that ask for what is not allowed, at other resolvers, or only to carry data out; and answers that lead where nothing may go.</summary>
public sealed class DnsAttackTests(SecurityLab lab)
{
    private const string NoSuchName = "code 3, 0 answers", Empty = "code 0, 0 answers", Malformed = "code 1, 0 answers";

    private static readonly string[] Rebinding =
    [
        "private", "class-b", "class-c", "loopback", "metadata", "host", "gate", "neighbour", "synthetic", "zero", "broadcast", "multicast", "benchmark",
        "mapped", "nat64", "sixtofour", "unique-local", "link-local", "loopback6",
    ];

    private static readonly AttackFamily Family = WithRebinding(new("dns", () => Policies.Under(
        $$"""{"mode": "custom", "allow_domains": ["allowed.test", "*.wild.test", {{string.Join(", ", Rebinding.Select(name => $"\"{name}.test\""))}}]}"""))
    {
        { "the attackers name", NoSuchName, AuditLine.Question("question.evil.test", "NAME_NOT_ALLOWED") },
        { "the attackers name in mixed case", NoSuchName, AuditLine.Question("MiXeD.eViL.TeSt", "NAME_NOT_ALLOWED") },
        { "the attackers name at his own resolver", NoSuchName, AuditLine.Question("own-resolver.evil.test", "NAME_NOT_ALLOWED") },
        { "the attackers name at his own resolver by tcp", NoSuchName, AuditLine.Question("own-resolver-tcp.evil.test", "NAME_NOT_ALLOWED") },
        { "the attackers name at a public resolver", NoSuchName, AuditLine.Question("public-resolver.evil.test", "NAME_NOT_ALLOWED") },
        { "a resolver over tls", "alert 49", AuditLine.Connection("ADDRESS_NOT_ALLOWED") with { Address = "203.0.113.66", Port = 853 } },
        { "a resolver over https", "alert 49", AuditLine.Connection("NAME_NOT_ALLOWED") with { Name = "dns.evil.test", Port = 443 } },
        { "a resolver over quic", "EHOSTUNREACH|ECONNREFUSED|timeout", AuditLine.None("datagrams are refused by the gate's rules") },
        { "a name that carries data", NoSuchName, AuditLine.Question("4a6f686e2c2068657265206973207468652064617461.tunnel.evil.test", "NAME_NOT_ALLOWED") },
        { "many names that carry data below a wildcard", "refused", AuditLine.Question(null!, "NAME_SUSPICIOUS") },
        { "text records of an allowed name", Empty, Answered("text.wild.test") },
        { "null records of an allowed name", Empty, Answered("null.wild.test") },
        { "mail servers of an allowed name", Empty, Answered("mail.wild.test") },
        { "services of an allowed name", Empty, Answered("_x._tcp.wild.test") },
        { "keys for an encrypted hello", Empty, Answered("https.wild.test") },
        { "addresses of ipv6", Empty, Answered("six.wild.test") },
        { "every record of an allowed name", Empty, Answered("any.wild.test") },
        { "a whole zone", NoSuchName, AuditLine.Question("wild.test", "NAME_NOT_ALLOWED") },
        { "text records of the attackers name", NoSuchName, AuditLine.Question("text.evil.test", "NAME_NOT_ALLOWED") },
        { "the name of an address", NoSuchName, AuditLine.Question("66.113.0.203.in-addr.arpa", "NAME_NOT_ALLOWED") },
        { "another class", "code 4, 0 answers", AuditLine.Question("version.bind", "QUESTION_MALFORMED") },
        { "two questions in one", Malformed, AuditLine.Question("", "QUESTION_MALFORMED") },
        { "an update of a zone", "code [14], 0 answers", AuditLine.Question("", "QUESTION_MALFORMED") },
        { "a name that points at itself", Malformed, AuditLine.Question("", "QUESTION_MALFORMED") },
        { "a nul within a name", NoSuchName, AuditLine.Question("allowed?.test", "NAME_MALFORMED") },
        { "a name longer than names are", Malformed, AuditLine.Question("", "QUESTION_MALFORMED") },
        { "a decimal address as a name", NoSuchName, AuditLine.Question("2852039166", "NAME_MALFORMED") },
        { "an octal address as a name", NoSuchName, AuditLine.Question("0251.0376.0251.0376", "NAME_MALFORMED") },
        { "a hexadecimal address as a name", NoSuchName, AuditLine.Question("0xa9.0xfe.0xa9.0xfe", "NAME_MALFORMED") },
        { "a dotted address as a name", NoSuchName, AuditLine.Question("169.254.169.254", "NAME_MALFORMED") },
        { "the hosts own name", NoSuchName, AuditLine.Question("localhost", "NAME_NOT_ALLOWED") },
        { "the name of the metadata service", NoSuchName, AuditLine.Question("metadata.google.internal", "NAME_NOT_ALLOWED") },
        { "a name that moves to a private address", "ECONNRESET|closed", AuditLine.Connection("ADDRESS_DENIED") with { Port = 5432 } },
        { "an alias of a private name", NoSuchName, AuditLine.Question("alias.wild.test", "ADDRESS_DENIED") },
    });

    public static IEnumerable<TheoryDataRow<string, string, string>> Attacks => Family.Everywhere();

    [Theory]
    [MemberData(nameof(Attacks))]
    public Task Question_LeadsNowhere_AndIsOnRecord(string attack, string isolation, string user) => Family.AssertRefusedAsync(lab, attack, isolation, user);

    [Fact]
    public async Task NamesThatAreNotAllowed_AreAskedOfNobody()
    {
        foreach (var isolation in new[] { "runc", "runsc" }) await lab.RunAsync(Family, isolation, "user");

        Assert.DoesNotContain(lab.Outside.Names.Asked, name => name.Contains("evil", StringComparison.OrdinalIgnoreCase) || name.StartsWith("text.", StringComparison.Ordinal));
    }

    private static AuditLine Answered(string name) => AuditLine.Passed(EgressKind.Dns) with { Name = name };

    private static AttackFamily WithRebinding(AttackFamily family)
    {
        foreach (var name in Rebinding) family.Add($"rebinding to {name}", NoSuchName, AuditLine.Question($"{name}.test", "ADDRESS_DENIED"));
        return family;
    }
}
