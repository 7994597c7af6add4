using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text;

namespace Corral.Security.Tests.Lab;

/// <summary>A web server that keeps every request, and does what a server should better not do when it is asked to.</summary>
internal sealed class Origin
{
    public ConcurrentQueue<OriginRequest> Seen { get; } = [];

    /// <summary>Requests that carry an injected value anywhere but once, in its header, to its host; that lack it; or that were not judged.</summary>
    public IReadOnlyList<OriginRequest> Misdirected(string injected) =>
        [.. Seen.Where(request => request.Target.Contains("smuggled", StringComparison.Ordinal) || !IsAsItShould(request, injected))];

    /// <summary>Serves the requests of one connection.</summary>
    public async Task ServeAsync(Stream stream, IPEndPoint dialled)
    {
        while (await ReadHeadAsync(stream) is { Length: > 0 } head)
        {
            var request = new OriginRequest(dialled.Address, dialled.Port, head, "");
            request = request with { Body = await ReadBodyAsync(stream, request) };
            Seen.Enqueue(request);
            await stream.WriteAsync(Encoding.Latin1.GetBytes(AnswerTo(request)));
            if (request.Target.StartsWith("/upgrade", StringComparison.Ordinal) && request.Header("upgrade").Count > 0) return;
        }
    }

    private static bool IsAsItShould(OriginRequest request, string injected)
    {
        // On another port nothing is injected, whatever the host.
        var isForIt = request.Port == Outside.Https && request.Header("host") is ["inject.test"];
        return isForIt
            ? request.Header("authorization") is [var value] && value == "Bearer " + injected && request.Header("x-debug").Count == 0
                && !request.Body.Contains("mine", StringComparison.Ordinal) && !request.Head.Contains(": mine", StringComparison.Ordinal)
            : !(request.Head + request.Body).Contains(injected, StringComparison.Ordinal);
    }

    private static string AnswerTo(OriginRequest request)
    {
        if (request.Target.StartsWith("/redirect", StringComparison.Ordinal))
            return "HTTP/1.1 302 Found\r\nLocation: https://other.test/landed\r\nAlt-Svc: h3=\":443\"\r\nContent-Length: 0\r\n\r\n";
        if (request.Target.StartsWith("/upgrade", StringComparison.Ordinal) && request.Header("upgrade") is [var protocol, ..])
            return $"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\nupgraded";
        // Never anything of the request but its host: what was injected must not come back.
        var body = $"{request.Server} {string.Join(',', request.Header("host"))}";
        return $"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\n\r\n{body}";
    }

    private static async Task<string> ReadHeadAsync(Stream stream)
    {
        var head = new StringBuilder();
        while (await ReadLineAsync(stream) is { Length: > 0 } line) head.Append(line).Append("\r\n");
        return head.ToString();
    }

    private static async Task<string> ReadBodyAsync(Stream stream, OriginRequest request)
    {
        if (request.Header("transfer-encoding").Count > 0) return await ReadChunksAsync(stream);
        if (request.Header("content-length") is not [var length, ..]) return "";
        var body = new byte[int.Parse(length, CultureInfo.InvariantCulture)];
        await stream.ReadExactlyAsync(body);
        return Encoding.Latin1.GetString(body);
    }

    private static async Task<string> ReadChunksAsync(Stream stream)
    {
        var body = new StringBuilder();
        while (true)
        {
            var size = int.Parse((await ReadLineAsync(stream) ?? "0").Split(';')[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            if (size == 0) break;
            var chunk = new byte[size + 2];
            await stream.ReadExactlyAsync(chunk);
            body.Append(Encoding.Latin1.GetString(chunk, 0, size));
        }

        while (await ReadLineAsync(stream) is { Length: > 0 } trailer) body.Append("\r\n").Append(trailer);
        return body.ToString();
    }

    // Byte by byte: what follows belongs to the next request.
    private static async Task<string?> ReadLineAsync(Stream stream)
    {
        var line = new StringBuilder();
        var one = new byte[1];
        while (await stream.ReadAsync(one) == 1)
        {
            if (one[0] == '\n') return line.ToString().TrimEnd('\r');
            line.Append((char)one[0]);
        }

        return line.Length > 0 ? line.ToString() : null;
    }
}
