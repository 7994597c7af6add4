using System.Security.Cryptography;
using System.Text;

namespace Corral.Sessions.Keys;

/// <summary>The text of a key: <c>br_live_</c> and 32 letters and digits.</summary>
internal static class KeyText
{
    private const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    private const int HintLength = 4;

    /// <summary>A new one.</summary>
    public static string New() => "br_live_" + RandomNumberGenerator.GetString(Alphabet, 32);

    /// <summary>What is kept of it.</summary>
    public static byte[] Digest(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));

    /// <summary>What may be shown of it.</summary>
    public static string Hint(string text) => text[^Math.Min(HintLength, text.Length)..];
}
