using System.Buffers;
using System.Diagnostics.CodeAnalysis;

namespace Corral.Egress.Policies;

/// <summary>The only form that names have in here: lower case, no dot at the end, labels of letters, digits, hyphen and underscore.</summary>
internal static class DomainName
{
    public const int MaxLength = 253;

    private const int MaxLabel = 63;
    private static readonly SearchValues<char> LabelCharacters = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789-_");

    /// <summary>Brings a name into that form; false when it is no name, an address for example.</summary>
    public static bool TryNormalize(ReadOnlySpan<char> text, [NotNullWhen(true)] out string? name)
    {
        name = null;
        if (text.EndsWith(".")) text = text[..^1];
        if (text.Length is 0 or > MaxLength) return false;
        Span<char> lower = stackalloc char[text.Length];
        for (var i = 0; i < text.Length; i++) lower[i] = char.IsAsciiLetterUpper(text[i]) ? (char)(text[i] | 0x20) : text[i];
        scoped ReadOnlySpan<char> rest = lower;
        scoped ReadOnlySpan<char> label;
        do
        {
            var dot = rest.IndexOf('.');
            label = dot < 0 ? rest : rest[..dot];
            if (label.Length is 0 or > MaxLabel || label.ContainsAnyExcept(LabelCharacters)) return false;
            rest = dot < 0 ? default : rest[(dot + 1)..];
            if (dot >= 0 && rest.IsEmpty) return false;
        }
        while (!rest.IsEmpty);

        // What ends in a number is read as an address by some (the URL standard): 1.2.3.4, 127.1, 2130706433, 0x7f.1.
        if (!label.ContainsAnyExceptInRange('0', '9') || IsHexadecimal(label)) return false;
        name = lower.ToString();
        return true;
    }

    private static bool IsHexadecimal(ReadOnlySpan<char> label)
    {
        if (!label.StartsWith("0x")) return false;
        foreach (var c in label[2..])
        {
            if (!char.IsAsciiHexDigit(c)) return false;
        }

        return true;
    }
}
