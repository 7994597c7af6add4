using System.Security.Cryptography;

namespace Corral.Hosting;

/// <summary>Makes public ids: a prefix and 26 lower-case base32 characters, of which the first is a letter.</summary>
/// <remarks>130 random bits less the first character's; no hyphen follows the prefix, so that <c>&lt;id&gt;-&lt;port&gt;</c> stays unambiguous as a host label.</remarks>
public static class Ids
{
    private const string Alphabet = "abcdefghijklmnopqrstuvwxyz234567";
    private const int Length = 26;

    /// <summary>A new id, such as <c>sbx-…</c> for the prefix <c>sbx-</c>.</summary>
    public static string New(string prefix) => string.Create(prefix.Length + Length, prefix, static (text, prefix) =>
    {
        prefix.CopyTo(text);
        text[prefix.Length] = Alphabet[RandomNumberGenerator.GetInt32(26)];
        for (var i = prefix.Length + 1; i < text.Length; i++)
        {
            text[i] = Alphabet[RandomNumberGenerator.GetInt32(Alphabet.Length)];
        }
    });

    /// <summary>Whether <paramref name="text"/> has the form of an id with this prefix.</summary>
    public static bool IsValid(string? text, string prefix) =>
        text is not null
        && text.Length == prefix.Length + Length
        && text.StartsWith(prefix, StringComparison.Ordinal)
        && char.IsAsciiLetterLower(text[prefix.Length])
        && text.AsSpan(prefix.Length).IndexOfAnyExcept(Alphabet) < 0;
}
