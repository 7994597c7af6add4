using System.Text;

namespace Corral.Egress.Policies;

/// <summary>The proxy that every connection of a sandbox leaves through.</summary>
internal sealed class UpstreamProxy : IEquatable<UpstreamProxy>
{
    private const int Longest = 2048;

    private UpstreamProxy(string scheme, string host, int port, string user, string password) =>
        (Scheme, Host, Port, User, Password) = (scheme, host, port, user, password);

    /// <summary><c>http</c>, <c>https</c> or <c>socks5</c>.</summary>
    public string Scheme { get; }

    /// <summary>A name, or an IPv4 address.</summary>
    public string Host { get; }

    public int Port { get; }

    /// <summary>Empty when it asks for nobody.</summary>
    public string User { get; }

    public string Password { get; }

    public static UpstreamProxy Parse(string text)
    {
        if (text.Length > Longest || !Uri.TryCreate(text, UriKind.Absolute, out var uri)
            || uri.Scheme is not ("http" or "https" or "socks5") || uri.HostNameType is not (UriHostNameType.Dns or UriHostNameType.IPv4)
            || uri.PathAndQuery.Length > 1 || uri.Fragment.Length > 0)
        {
            throw new PolicyException("policy.upstream_proxy", "must be http://user:password@host:port, or https or socks5.");
        }

        var credentials = uri.UserInfo.Split(':', 2);
        var (user, password) = (CredentialOf(credentials[0]), CredentialOf(credentials.ElementAtOrDefault(1) ?? ""));
        // Basic authentication ends the user at the first colon (RFC 7617).
        if (user.Contains(':', StringComparison.Ordinal)) throw new PolicyException("policy.upstream_proxy", "has a user with a colon.");
        return new UpstreamProxy(uri.Scheme, uri.IdnHost.ToLowerInvariant(), uri.Port > 0 ? uri.Port : 1080, user, password);
    }

    // As long as SOCKS has room for (RFC 1929).
    private static string CredentialOf(string escaped)
    {
        var text = Uri.UnescapeDataString(escaped);
        return Encoding.UTF8.GetByteCount(text) <= byte.MaxValue && !text.Any(char.IsControl)
            ? text
            : throw new PolicyException("policy.upstream_proxy", "has a user or password over 255 bytes, or with control characters.");
    }

    public bool Equals(UpstreamProxy? other) =>
        other is not null && Scheme == other.Scheme && Host == other.Host && Port == other.Port && User == other.User && Password == other.Password;

    public override bool Equals(object? obj) => Equals(obj as UpstreamProxy);

    public override int GetHashCode() => HashCode.Combine(Scheme, Host, Port, User);

    /// <summary>Without its user and password.</summary>
    public override string ToString() => $"{Scheme}://{Host}:{Port}";
}
