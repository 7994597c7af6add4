using System.Buffers;
using System.Text;
using Corral.Egress.Policies;

namespace Corral.Egress.Flows;

/// <summary>Tells an HTTP request from anything else, and finds its host. What it means is for a real HTTP server to say.</summary>
internal static class HttpPreface
{
    private const int LongestMethod = 32;

    // RFC 9110, 5.6.2, but upper case only: what begins with these may be a method.
    private static readonly SearchValues<byte> MethodBytes = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZ-_"u8);
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
        var length = bytes.IndexOfAnyExcept(MethodBytes);
        if (length < 0) return bytes.Length > LongestMethod ? Hello.Opaque : Hello.Incomplete;
        if (length is 0 or > LongestMethod || bytes[length] != ' ') return Hello.Opaque;
        if (!IsRequestLine(bytes, length, out var undecided)) return undecided ? Hello.Incomplete : Hello.Opaque;
        return wantsHost ? ReadHost(bytes) : Request;
    }

    // A known method is enough; any other makes a request only by a line that ends as one.
    private static bool IsRequestLine(ReadOnlySpan<byte> bytes, int method, out bool undecided)
    {
        undecided = false;
        foreach (var known in Methods)
        {
            if (method == known.Length && Ascii.Equals(bytes[..method], known)) return true;
        }

        var end = bytes.IndexOf((byte)'\n');
        undecided = end < 0;
        return end >= 0 && bytes[..end].IndexOf(" HTTP/"u8) >= 0;
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
