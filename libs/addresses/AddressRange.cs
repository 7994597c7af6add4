using System.Net;
using System.Net.Sockets;

namespace Corral.Addresses;

/// <summary>A range of addresses of one family. Bits below the prefix are ignored: 10.0.0.1/8 is 10.0.0.0/8.</summary>
public readonly record struct AddressRange
{
    private readonly UInt128 _first;
    private readonly UInt128 _mask;
    private readonly bool _isV6;
    private readonly string _text;

    private AddressRange(IPAddress address, int prefix)
    {
        _isV6 = address.AddressFamily == AddressFamily.InterNetworkV6;
        var width = _isV6 ? 128 : 32;
        _mask = prefix == 0 ? 0 : UInt128.MaxValue << (width - prefix);
        _first = Bits(address) & _mask;
        _text = $"{Address(_first, _isV6)}/{prefix}";
    }

    /// <summary>Reads an address, a slash and a prefix. Four decimal numbers are the only form of an IPv4 address.</summary>
    public static bool TryParse(string text, out AddressRange range)
    {
        range = default;
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        if (slash <= 0 || !TryAddress(text[..slash], out var address)) return false;
        var width = address.AddressFamily == AddressFamily.InterNetworkV6 ? 128 : 32;
        if (!int.TryParse(text.AsSpan(slash + 1), System.Globalization.NumberStyles.None, null, out var prefix) || prefix > width) return false;
        range = new AddressRange(address, prefix);
        return true;
    }

    /// <summary>For texts that stand in this program.</summary>
    public static AddressRange Parse(string text) => TryParse(text, out var range) ? range : throw new FormatException($"'{text}' is no range.");

    /// <summary>Whether its addresses are of IPv6.</summary>
    public bool IsV6 => _isV6;

    /// <summary>Whether it holds an address, of its own family only.</summary>
    public bool Contains(IPAddress address) =>
        address.AddressFamily == (_isV6 ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork) && (Bits(address) & _mask) == _first;

    /// <inheritdoc/>
    public override string ToString() => _text;

    // Exactly four decimal numbers: IPAddress.Parse also reads 127.1, 0x7f.1 and octal.
    private static bool TryAddress(string text, out IPAddress address) =>
        IPAddress.TryParse(text, out address!) && (address.AddressFamily == AddressFamily.InterNetworkV6 || address.ToString() == text);

    private static UInt128 Bits(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out var length);
        UInt128 bits = 0;
        foreach (var b in bytes[..length]) bits = (bits << 8) | b;
        return bits;
    }

    private static IPAddress Address(UInt128 bits, bool v6)
    {
        var bytes = new byte[v6 ? 16 : 4];
        for (var i = bytes.Length - 1; i >= 0; i--, bits >>= 8) bytes[i] = (byte)bits;
        return new IPAddress(bytes);
    }
}
