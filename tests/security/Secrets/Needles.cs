using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Corral.Security.Tests.Secrets;

/// <summary>What is looked for: secrets as they are, and as they are usually written.</summary>
internal sealed class Needles
{
    private const byte Mask = 0x5A;

    private readonly Dictionary<string, byte[]> _needles = [];

    /// <summary>A fresh secret that can be recognised, also within something longer.</summary>
    public string Make(string name)
    {
        var value = $"{name}-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16))}";
        Add(name, value);
        return value;
    }

    /// <summary>A secret that is there already.</summary>
    public void Add(string name, string value)
    {
        var bytes = Encoding.UTF8.GetBytes(value);
        _needles[name] = bytes;
        _needles[name + " in hexadecimal"] = Encoding.ASCII.GetBytes(Convert.ToHexStringLower(bytes));
        // Within something longer it may begin at any of three places of a group.
        for (var shift = 0; shift < 3; shift++)
        {
            var encoded = Convert.ToBase64String([.. new byte[shift], .. bytes]);
            _needles[$"{name} in base 64, {shift}"] = Encoding.ASCII.GetBytes(encoded[4..(encoded.Length / 4 * 4 - 4)]);
        }
    }

    /// <summary>A secret that is bytes.</summary>
    public void Add(string name, byte[] value)
    {
        _needles[name + " as bytes"] = value;
        _needles[name] = Encoding.ASCII.GetBytes(Convert.ToHexStringLower(value));
    }

    /// <summary>All of them, so that whoever looks for them does not hold them.</summary>
    public string Masked() => JsonSerializer.Serialize(_needles.ToDictionary(
        needle => needle.Key, needle => Convert.ToHexStringLower([.. needle.Value.Select(b => (byte)(b ^ Mask))])));

    /// <summary>The names of those that are in there.</summary>
    public IReadOnlyList<string> In(ReadOnlySpan<byte> haystack)
    {
        var found = new List<string>();
        foreach (var (name, needle) in _needles)
        {
            if (haystack.IndexOf(needle) >= 0) found.Add(name);
        }

        return found;
    }

    public IReadOnlyList<string> In(string haystack) => In(Encoding.UTF8.GetBytes(haystack));
}
