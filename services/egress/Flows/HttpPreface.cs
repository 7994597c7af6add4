using System.Buffers;
using System.Text;
using Corral.Egress.Policies;

namespace Corral.Egress.Flows;

/// <summary>Tells an HTTP request from anything else, and finds its host. What it means is for a real HTTP server to say.</summary>
internal static class HttpPreface
{
    // RFC 9110, 5.6.2: what a method may be made of.
    private static readonly SearchValues<byte> TokenBytes =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"u8);

    private static readonly Hello Request = Hello.Complete(FlowProtocol.Http, null);
    private static readonly Hello IncompleteRequest = new(HelloState.Incomplete, FlowProtocol.Http, null);
    private static readonly Hello Malformed = Hello.Malformed(FlowProtocol.Http);
    private static readonly string[] Methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PRI"];

    public static Hello Read(ReadOnlySpan<byte> bytes, bool wantsHost)
    {
        // RFC 9112, 2.2: a server ignores empty lines before a request.
        var begin = bytes.IndexOfAnyExcept((byte)'\r', (byte)'\n');
        if (begin < 0) return Hello.Incomplete;
        bytes = bytes[begin..];
        var method = bytes.IndexOfAnyExcept(TokenBytes);
        if (method < 0) return Hello.Incomplete;
        if (method == 0 || bytes[method] != ' ') return Hello.Opaque;
        if (!IsKnown(bytes[..method]))
        {
            // Any other word makes a request only by a line that ends as one. Held until that is clear: a server that answers "no such
            // method" goes on reading, and the next request would pass unread.
            var end = bytes.IndexOfAnyInRange((byte)0, (byte)0x1f);
            if (end < 0) return Hello.Incomplete;
            if (bytes[..end].IndexOf(" HTTP/"u8) < 0) return Hello.Opaque;
        }

        return wantsHost ? ReadHost(bytes) : Request;
    }

    private static bool IsKnown(ReadOnlySpan<byte> method)
    {
        foreach (var known in Methods)
        {
            if (Ascii.Equals(method, known)) return true;
        }

        return false;
    }

    private static Hello ReadHost(ReadOnlySpan<byte> bytes)
    {
        if (bytes.StartsWith("PRI "u8)) return Request;
        string? host = null;
        var found = false;
        var lines = bytes;
        for (var first = true; ; first = false)
        {
            var end = lines.IndexOf((byte)'\n');
            if (end < 0) return IncompleteRequest;
            var line = lines[..end].TrimEnd((byte)'\r');
            lines = lines[(end + 1)..];
            if (line.IsEmpty && !first) return Hello.Complete(FlowProtocol.Http, host);
            if (first || !IsHost(line)) continue;
            if (found || !TryName(line["Host:"u8.Length..], out host)) return Malformed;
            found = true;
        }
    }

    private static bool IsHost(ReadOnlySpan<byte> line) => line.Length >= 5 && Ascii.EqualsIgnoreCase(line[..5], "host:");

    // An address in place of a name is no fault, and no name either.
    private static bool TryName(ReadOnlySpan<byte> value, out string? name)
    {
        var text = Encoding.Latin1.GetString(value.Trim(" \t"u8));
        var colon = text.LastIndexOf(':');
        if (colon >= 0 && !text.AsSpan(colon + 1).ContainsAnyExceptInRange('0', '9')) text = text[..colon];
        return DomainName.TryNormalize(text, out name) || System.Net.IPAddress.TryParse(text, out _);
    }
}
