using System.Collections.Frozen;
using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;

namespace Corral.Sessions.Policies;

/// <summary>The forms of what a policy is made of.</summary>
internal static partial class PolicyGrammar
{
    private const int MaxNameLength = 253;
    private const int MaxHeaderNameLength = 128;
    private const int MaxHeaderValueLength = 8192;

    // They frame the message or belong to one connection only: whoever sets them makes another request of it.
    private static readonly FrozenSet<string> Framing = FrozenSet.Create(
        StringComparer.OrdinalIgnoreCase,
        "ALPN", "Alt-Svc", "Close", "Connection", "Content-Length", "Expect", "Host", "HTTP2-Settings", "Keep-Alive", "Proxy-Authenticate",
        "Proxy-Authentication-Info", "Proxy-Authorization", "Proxy-Connection", "Proxy-Features", "Proxy-Instruction", "Security-Scheme", "TE", "Trailer",
        "Transfer-Encoding", "Upgrade");

    /// <summary>A name of two labels or more; not an address.</summary>
    public static bool IsName(string text) => text.Length <= MaxNameLength && NamePattern().IsMatch(text);

    /// <summary>A name, or <c>*.</c> and a name.</summary>
    public static bool IsDomain(string text) => IsName(text.StartsWith("*.", StringComparison.Ordinal) ? text[2..] : text);

    /// <summary>The range that a text names, its bits after the prefix cleared; null when it is none.</summary>
    public static IPNetwork? ParseCidr(string text)
    {
        var parts = CidrPattern().Match(text);
        if (!parts.Success)
        {
            return null;
        }

        var address = 0u;
        foreach (var part in parts.Groups["part"].Captures.Select(part => int.Parse(part.ValueSpan, CultureInfo.InvariantCulture)))
        {
            if (part > 255)
            {
                return null;
            }

            address = (address << 8) | (uint)part;
        }

        var prefix = parts.Groups["prefix"].Success ? int.Parse(parts.Groups["prefix"].ValueSpan, CultureInfo.InvariantCulture) : 32;
        if (prefix > 32)
        {
            return null;
        }

        address &= prefix == 0 ? 0 : uint.MaxValue << (32 - prefix);
        return new IPNetwork(new IPAddress([(byte)(address >> 24), (byte)(address >> 16), (byte)(address >> 8), (byte)address]), prefix);
    }

    /// <summary>A token of RFC 9110, section 5.6.2.</summary>
    public static bool IsHeaderName(string text) => text.Length <= MaxHeaderNameLength && TokenPattern().IsMatch(text);

    /// <summary>Whether a header is the proxy's own business.</summary>
    public static bool IsFraming(string header) => Framing.Contains(header);

    /// <summary>Visible ASCII, with spaces and tabs only in between: nothing that ends a line or a text.</summary>
    public static bool IsHeaderValue(string text) => text.Length <= MaxHeaderValueLength && ValuePattern().IsMatch(text);

    // What ends in a number is read as an address by some.
    [GeneratedRegex(@"^(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+(?!(?:[0-9]+|0[xX][0-9A-Fa-f]*)\z)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\z")]
    private static partial Regex NamePattern();

    // No leading zeros: some read them as octal.
    [GeneratedRegex(@"^(?:(?<part>0|[1-9][0-9]{0,2})(?:\.(?!\z|/)|(?=\z|/))){4}(?:/(?<prefix>0|[1-9][0-9]?))?\z")]
    private static partial Regex CidrPattern();

    [GeneratedRegex(@"^[!#$%&'*+.^_`|~0-9A-Za-z-]+\z")]
    private static partial Regex TokenPattern();

    [GeneratedRegex(@"^[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?\z")]
    private static partial Regex ValuePattern();
}
