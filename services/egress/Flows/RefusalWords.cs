using System.Text;

namespace Corral.Egress.Flows;

/// <summary>What a refused client is told, in its own protocol.</summary>
internal static class RefusalWords
{
    /// <summary>The header that names the reason.</summary>
    public const string ReasonHeader = "x-corral-egress";

    // A TLS alert: fatal, access_denied (RFC 8446, 6.2).
    private static readonly byte[] AccessDenied = [21, 3, 3, 0, 2, 2, 49];

    /// <summary>The last words for a refused connection; empty when its protocol has none, or when what failed was no refusal.</summary>
    public static ReadOnlyMemory<byte> Of(FlowProtocol protocol, string reason) => protocol switch
    {
        FlowProtocol.Tls => IsFailure(reason) ? default : AccessDenied,
        FlowProtocol.Http => Response(reason),
        _ => default,
    };

    /// <summary>The status of an answer to a refused request.</summary>
    public static int StatusOf(string reason) => reason switch
    {
        Refusals.HostMismatch or Refusals.ServerNameMismatch => 421,
        Refusals.RequestMalformed or Refusals.HelloMalformed or Refusals.ClientClosed => 400,
        Refusals.MethodNotAllowed => 405,
        Refusals.HelloTimeout => 408,
        Refusals.ConnectTimeout or Refusals.UpstreamTimeout => 504,
        _ => IsFailure(reason) ? 502 : 403,
    };

    /// <summary>The body of such an answer, JSON.</summary>
    public static string BodyOf(string reason) =>
        $$$"""{"error":"{{{(IsFailure(reason) ? "The destination could not be reached." : "The sandbox's network policy does not allow this.")}}}","code":"{{{reason}}}"}""";

    private static byte[] Response(string reason)
    {
        var body = BodyOf(reason);
        return Encoding.ASCII.GetBytes(
            $"HTTP/1.1 {StatusOf(reason)} Refused\r\ncontent-type: application/json\r\ncontent-length: {body.Length}\r\n{ReasonHeader}: {reason}\r\nconnection: close\r\n\r\n{body}");
    }

    private static bool IsFailure(string reason) =>
        reason is Refusals.ConnectFailed or Refusals.ConnectTimeout or Refusals.ResolverFailed or Refusals.NameNotFound or Refusals.ProxyFailed
            or Refusals.ProxyAuthentication or Refusals.ProxyRefused or Refusals.CertificateInvalid or Refusals.UpstreamFailed or Refusals.UpstreamTimeout
            or Refusals.Detached or Refusals.ClientClosed;
}
