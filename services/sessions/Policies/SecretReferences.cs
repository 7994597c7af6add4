using System.Text.RegularExpressions;

namespace Corral.Sessions.Policies;

/// <summary>How texts name secrets of the vault: <c>${secret:NAME}</c>, and in the environment <c>${secret:NAME@host}</c>.</summary>
internal static partial class SecretReferences
{
    /// <summary>What every reference begins with.</summary>
    public const string Opening = "${secret:";

    /// <summary>In one text: a filled header then stays below 16 KiB.</summary>
    public const int MaxReferences = 2;

    /// <summary>Whether a text names secrets, or means to.</summary>
    public static bool Has(string text) => text.Contains(Opening, StringComparison.Ordinal);

    /// <summary>The secrets that a text names, each once; null when one of its references has another form, or there are too many.</summary>
    public static IReadOnlyList<string>? Names(string text)
    {
        var names = Reference().Matches(text).Select(match => match.Groups["name"].Value).ToList();
        return names.Count <= MaxReferences && names.Count == text.AsSpan().Count(Opening) ? [.. names.Distinct(StringComparer.Ordinal)] : null;
    }

    /// <summary>The text with the values in place of the references; null when one has no value.</summary>
    public static string? Fill(string text, Func<string, string?> valueOf)
    {
        var whole = true;
        var filled = Reference().Replace(text, match =>
        {
            var value = valueOf(match.Groups["name"].Value);
            whole &= value is not null;
            return value ?? "";
        });
        return whole ? filled : null;
    }

    /// <summary>The secret and the host that an environment value names; null for any other value.</summary>
    public static (string Name, string Host)? Binding(string value) =>
        BindingPattern().Match(value) is { Success: true } match && PolicyGrammar.IsName(match.Groups["host"].Value)
            ? (match.Groups["name"].Value, match.Groups["host"].Value.ToLowerInvariant())
            : null;

    /// <summary>Whether a secret may have this name.</summary>
    public static bool IsName(string text) => NamePattern().IsMatch(text);

    [GeneratedRegex(@"\$\{secret:(?<name>[A-Za-z][A-Za-z0-9_.-]{0,63})\}")]
    private static partial Regex Reference();

    [GeneratedRegex(@"^\$\{secret:(?<name>[A-Za-z][A-Za-z0-9_.-]{0,63})@(?<host>[^@{}]+)\}\z")]
    private static partial Regex BindingPattern();

    [GeneratedRegex(@"^[A-Za-z][A-Za-z0-9_.-]{0,63}\z")]
    private static partial Regex NamePattern();
}
