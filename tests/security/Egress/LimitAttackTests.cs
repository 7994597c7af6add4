using Corral.Security.Tests.Lab;
using Xunit;

namespace Corral.Security.Tests.Egress;

/// <summary>More than a sandbox may cause.</summary>
public sealed class LimitAttackTests(SecurityLab lab)
{
    private static readonly AttackFamily Family = new("limits", Policies.Usual)
    {
        { "more connections than may be open", "bounded", AuditLine.Connection("TOO_MANY_CONNECTIONS") with { Port = 5432 } },
        { "more connections than may be made in a second", "bounded", AuditLine.Connection("TOO_MANY_NEW_CONNECTIONS") with { Port = 5432 } },
        { "more questions than may be asked in a second", "bounded", AuditLine.Question("allowed.test", "TOO_MANY_QUESTIONS") },
        { "others while many are silent", "undelayed", AuditLine.Connection("ADDRESS_NOT_ALLOWED") with { Address = "203.0.113.66", Port = 443 } },
    };

    public static IEnumerable<TheoryDataRow<string, string, string>> Attacks => Family.Everywhere();

    [Theory]
    [MemberData(nameof(Attacks))]
    public Task Excess_IsRefused_AndIsOnRecord(string attack, string isolation, string user) => Family.AssertRefusedAsync(lab, attack, isolation, user);
}
