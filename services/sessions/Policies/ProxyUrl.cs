using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Corral.Sessions.Policies;

/// <summary>The address of an upstream proxy: <c>scheme://user:password@host:port</c>.</summary>
internal static partial class ProxyUrl
{
    private const string Credential = @"(?:\$\{secret:[^{}@:]*\}|%[0-9A-Fa-f]{2}|[A-Za-z0-9._~!$&'()*+,;=-])";

    // RFC 1929 gives a user and a password one byte of length each.
    private const int MaxCredentialLength = 255;

    private const int Smtp = 25;

    /// <summary>What is wrong with an address; null when nothing is.</summary>
    public static string? Check(string url)
    {
        if (Pattern().Match(url) is not { Success: true } parts)
        {
            return "must be scheme://user:password@host:port with the scheme http, https or socks5; in the user and the password, other than letters, digits and - . _ ~ ! $ & ' ( ) * + , ; = must be percent-encoded";
        }

        var host = parts.Groups["host"].Value;
        if (!PolicyGrammar.IsName(host) && PolicyGrammar.ParseCidr(host) is null)
        {
            return "the host must be a name of two labels or more, or an IPv4 address";
        }

        if (int.Parse(parts.Groups["port"].ValueSpan, CultureInfo.InvariantCulture) is < 1 or > 65535 or Smtp)
        {
            return "the port must be 1 to 65535, and not 25";
        }

        return SecretReferences.Names(url) is null ? $"must name secrets as ${{secret:NAME}}, at most {SecretReferences.MaxReferences}" : CheckCredentials(url, _ => "");
    }

    /// <summary>What is wrong with the user and the password of such an address, once its secrets have their values; null when nothing is.</summary>
    public static string? CheckCredentials(string url, Func<string, string?> valueOf)
    {
        var parts = Pattern().Match(url);
        var (user, password) = (Filled(parts.Groups["user"].Value), Filled(parts.Groups["password"].Value));
        if (Encoding.UTF8.GetByteCount(user) > MaxCredentialLength || Encoding.UTF8.GetByteCount(password) > MaxCredentialLength)
        {
            return $"the user and the password must be at most {MaxCredentialLength} bytes each";
        }

        if (user.Any(char.IsControl) || password.Any(char.IsControl))
        {
            return "the user and the password must be without control characters";
        }

        // RFC 7617: in what is sent, the user ends there.
        return user.Contains(':', StringComparison.Ordinal) ? "the user must be without a colon" : null;

        string Filled(string part) => Uri.UnescapeDataString(SecretReferences.Fill(part, name => valueOf(name) is { } value ? Uri.EscapeDataString(value) : null) ?? "");
    }

    /// <summary>The address as it is answered.</summary>
    public static string Mask(string url) => Pattern().Match(url) is { Success: true } parts
        ? $"{parts.Groups["scheme"]}://{(parts.Groups["user"].Success ? "***@" : "")}{parts.Groups["host"]}:{parts.Groups["port"]}"
        : "***";

    [GeneratedRegex(
        "^(?<scheme>http|https|socks5)://(?:(?<user>" + Credential + "+)(?::(?<password>" + Credential + @"*))?@)?(?<host>[A-Za-z0-9.-]+):(?<port>[0-9]{1,5})/?\z")]
    private static partial Regex Pattern();
}
