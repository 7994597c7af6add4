using Microsoft.Extensions.Options;

namespace Corral.Gateway.Terminals;

/// <summary>
/// Which pages may open a terminal. Nothing that a browser sends by itself opens one, so this is the second lock: a token that leaked into a
/// page of somebody else is of no use there.
/// </summary>
internal sealed class OriginCheck(IOptions<TerminalOptions> options)
{
    /// <summary>Whether the request comes from such a page, or from no page at all.</summary>
    public bool Allows(HttpRequest request)
    {
        var origin = request.Headers.Origin.ToString();
        if (origin.Length == 0 || options.Value.AllowedOrigins.Contains("*") || options.Value.AllowedOrigins.Contains(origin))
        {
            return true;
        }

        return Uri.TryCreate(origin, UriKind.Absolute, out var page) && (page.IsLoopback || page.Authority == request.Host.Value);
    }
}
