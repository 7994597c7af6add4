using Corral.Hosting;

namespace Corral.Sessions.Webhooks;

/// <summary>What a webhook's URL may look like.</summary>
internal static class TargetUrl
{
    private const int MaxLength = 2048;
    private const int FirstFreePort = 1024;

    /// <summary>Reads a URL, or refuses it with what is wrong.</summary>
    public static Uri Parse(string text, bool allowHttp)
    {
        if (text.Length is 0 or > MaxLength || text.Any(c => c is <= ' ' or > '~') || !Uri.TryCreate(text, UriKind.Absolute, out var url))
        {
            throw Wrong($"must be an absolute URL of at most {MaxLength} ASCII characters");
        }

        if (url.Scheme != Uri.UriSchemeHttps && !(allowHttp && url.Scheme == Uri.UriSchemeHttp))
        {
            throw Wrong(allowHttp ? "must be https or http" : "must be https");
        }

        if (url.UserInfo.Length > 0 || text.Contains('#', StringComparison.Ordinal))
        {
            throw Wrong("must have no user, no password and no fragment");
        }

        if (url.Host.Length == 0 || (!url.IsDefaultPort && url.Port < FirstFreePort))
        {
            throw Wrong($"must have a host, and the scheme's own port or one from {FirstFreePort}");
        }

        return url;
    }

    public static global::Grpc.Core.RpcException Wrong(string description) => RpcErrors.InvalidArgument("url", description);
}
