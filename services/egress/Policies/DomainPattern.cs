namespace Corral.Egress.Policies;

/// <summary>A name, or <c>*.</c> and a name for every name below it at any depth, but not the name itself.</summary>
/// <param name="Name">The name, normalised.</param>
/// <param name="IsWildcard">Whether <c>*.</c> stands before it.</param>
internal readonly record struct DomainPattern(string Name, bool IsWildcard)
{
    private const string Wildcard = "*.";

    /// <summary>Reads a pattern: at least two labels of letters, digits and hyphens; no port, no address.</summary>
    public static DomainPattern Parse(string field, string text)
    {
        var wildcard = text.StartsWith(Wildcard, StringComparison.Ordinal);
        var rest = wildcard ? text.AsSpan(Wildcard.Length) : text;
        if (rest.EndsWith(".") || rest.Contains('_') || !rest.Contains('.') || !DomainName.TryNormalize(rest, out var name) || HasBareHyphen(name))
            throw new PolicyException(field, "must be a name such as api.example.com or *.example.com.");
        return new DomainPattern(name, wildcard);
    }

    public override string ToString() => IsWildcard ? Wildcard + Name : Name;

    private static bool HasBareHyphen(string name) =>
        name.StartsWith('-') || name.EndsWith('-') || name.Contains(".-", StringComparison.Ordinal) || name.Contains("-.", StringComparison.Ordinal);
}
