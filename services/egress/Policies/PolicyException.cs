namespace Corral.Egress.Policies;

/// <summary>A policy that cannot be put in force.</summary>
/// <param name="field">The field that is wrong, such as <c>policy.allow_domains[2]</c>.</param>
/// <param name="description">What is wrong with it. It never repeats a value that may be a secret.</param>
internal sealed class PolicyException(string field, string description) : Exception($"{field}: {description}")
{
    public string Field { get; } = field;

    public string Description { get; } = description;
}
