using Microsoft.Extensions.Options;

namespace Corral.Gateway.Terminals;

/// <summary>Makes WebSockets' addresses of the paths that services answer.</summary>
internal static class SocketUrls
{
    /// <summary>What they begin with: the scheme and the host by which the client came, unless the operator says how clients come.</summary>
    public static string OriginFor(HttpContext context)
    {
        var options = context.RequestServices.GetRequiredService<IOptions<TerminalOptions>>().Value;
        var came = options.PublicUrl.Length > 0 ? options.PublicUrl : $"{SchemeOf(context.Request)}://{context.Request.Host}";
        return string.Concat("ws", came.AsSpan("http".Length));
    }

    /// <summary>The scheme by which the client came: a load balancer that ends TLS says so.</summary>
    public static string SchemeOf(HttpRequest request) =>
        request.IsHttps || request.Headers["X-Forwarded-Proto"].ToString().Equals("https", StringComparison.OrdinalIgnoreCase) ? "https" : "http";
}
