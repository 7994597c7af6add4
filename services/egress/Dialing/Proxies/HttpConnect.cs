using System.Globalization;
using System.Text;
using Corral.Egress.Flows;
using Corral.Egress.Policies;

namespace Corral.Egress.Dialing.Proxies;

/// <summary>CONNECT (RFC 9110, section 9.3.6).</summary>
internal static class HttpConnect
{
    private const int MaxReply = 16 * 1024;

    /// <summary>Asks a proxy for a tunnel; answers why it gives none, or null: then the stream is the tunnel, and nothing of it has been read.</summary>
    public static async Task<string?> AskAsync(Stream stream, UpstreamProxy proxy, DialTarget target, CancellationToken cancellationToken)
    {
        await stream.WriteAsync(Encoding.Latin1.GetBytes(Request(proxy, target)), cancellationToken);
        return StatusOf(await ReadHeadAsync(stream, cancellationToken)) switch
        {
            null => Refusals.ProxyFailed,
            >= 200 and < 300 => null,
            407 => Refusals.ProxyAuthentication,
            _ => Refusals.ProxyRefused,
        };
    }

    private static string Request(UpstreamProxy proxy, DialTarget target)
    {
        var authority = target.ToString();
        var credentials = proxy.User.Length + proxy.Password.Length == 0
            ? ""
            : $"Proxy-Authorization: Basic {Convert.ToBase64String(Encoding.UTF8.GetBytes($"{proxy.User}:{proxy.Password}"))}\r\n";
        return $"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{credentials}\r\n";
    }

    // Byte by byte: what follows the empty line belongs to whoever gets the tunnel.
    private static async Task<string> ReadHeadAsync(Stream stream, CancellationToken cancellationToken)
    {
        var head = new byte[MaxReply];
        var length = 0;
        while (length < MaxReply && !head.AsSpan(0, length).EndsWith("\r\n\r\n"u8))
        {
            await stream.ReadExactlyAsync(head, length, 1, cancellationToken);
            length++;
        }

        return Encoding.Latin1.GetString(head, 0, length);
    }

    // "HTTP/1.1 200 Connection established"; null for what is no answer in HTTP, or does not end.
    private static int? StatusOf(string head)
    {
        var words = head.Split(' ', 3);
        return head.EndsWith("\r\n\r\n", StringComparison.Ordinal) && words.Length == 3 && words[0] is "HTTP/1.1" or "HTTP/1.0"
            && int.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out var status)
            ? status
            : null;
    }
}
