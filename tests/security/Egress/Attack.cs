using System.Text.RegularExpressions;

namespace Corral.Security.Tests.Egress;

/// <summary>What one attack must come to.</summary>
/// <param name="Inside">A pattern of what the attacker sees, in full.</param>
/// <param name="Audit">The line that the egress log must have of it.</param>
internal sealed record Attack(string Inside, AuditLine Audit)
{
    public bool Refused(string seen) => Regex.IsMatch(seen, $"^(?:{Inside})$", RegexOptions.Singleline, TimeSpan.FromSeconds(1));
}
