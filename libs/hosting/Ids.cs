using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Corral.Hosting;

/// <summary>Makes public ids: a prefix and 26 lower-case base32 characters, of which the first is a letter.</summary>
/// <remarks>130 random bits less the first character's; no hyphen follows the prefix, so that <c>&lt;id&gt;-&lt;port&gt;</c> stays unambiguous as a host label.</remarks>
public static class Ids
{
    private const string Alphabet = "abcdefghijklmnopqrstuvwxyz234567";
    private const int Letters = 26;
    private const int Length = 26;
    private const int StockLength = 1024;

    // Asking for random bytes takes microseconds, however few they are, and every request has an id.
    [ThreadStatic]
    private static byte[]? _stock;

    [ThreadStatic]
    private static int _left;

    /// <summary>A new id, such as <c>sbx-…</c> for the prefix <c>sbx-</c>.</summary>
    public static string New(string prefix) => string.Create(prefix.Length + Length, prefix, static (text, prefix) =>
    {
        // A letter of 26 is even enough out of 32 bits.
        var random = TakeRandom(sizeof(uint) + Length - 1);
        prefix.CopyTo(text);
        var id = text[prefix.Length..];
        id[0] = Alphabet[(int)(BinaryPrimitives.ReadUInt32LittleEndian(random) % Letters)];
        for (var i = 1; i < Length; i++)
        {
            id[i] = Alphabet[random[sizeof(uint) + i - 1] % Alphabet.Length];
        }
    });

    /// <summary>Whether <paramref name="text"/> has the form of an id with this prefix.</summary>
    public static bool IsValid(string? text, string prefix) =>
        text is not null
        && text.Length == prefix.Length + Length
        && text.StartsWith(prefix, StringComparison.Ordinal)
        && char.IsAsciiLetterLower(text[prefix.Length])
        && text.AsSpan(prefix.Length).IndexOfAnyExcept(Alphabet) < 0;

    // Each byte is used once.
    private static ReadOnlySpan<byte> TakeRandom(int count)
    {
        _stock ??= new byte[StockLength];
        if (_left < count)
        {
            RandomNumberGenerator.Fill(_stock);
            _left = StockLength;
        }

        _left -= count;
        return _stock.AsSpan(_left, count);
    }
}
