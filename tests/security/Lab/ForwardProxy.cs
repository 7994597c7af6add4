using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Corral.Security.Tests.Lab;

/// <summary>The tenant's own proxy, by CONNECT and by SOCKS 5. It wants a user and a password.</summary>
internal sealed class ForwardProxy
{
    public const string User = "carol";
    public const string Password = "proxy-password-4c1d9a7be2f05386";

    /// <summary>What it was asked for, such as <c>allowed.test:443</c>.</summary>
    public ConcurrentQueue<string> Asked { get; } = [];

    public async Task ServeHttpAsync(Stream stream, Func<string, int, Task<Socket>> connect)
    {
        var head = "";
        while (!head.EndsWith("\r\n\r\n", StringComparison.Ordinal)) head += (char)(await ReadAsync(stream, 1))[0];
        var target = head.Split(' ')[1];
        Asked.Enqueue(target);
        var credentials = Convert.ToBase64String(Encoding.UTF8.GetBytes($"{User}:{Password}"));
        if (!head.Contains($"Proxy-Authorization: Basic {credentials}\r\n", StringComparison.Ordinal))
        {
            await stream.WriteAsync("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"u8.ToArray());
            return;
        }

        if (target.StartsWith("moved.", StringComparison.Ordinal))
        {
            // Whoever followed it would go round the policy.
            await stream.WriteAsync("HTTP/1.1 302 Found\r\nLocation: http://203.0.113.66:3128/\r\nContent-Length: 0\r\n\r\n"u8.ToArray());
            return;
        }

        using var server = await ConnectAsync(target, connect);
        await stream.WriteAsync("HTTP/1.1 200 Connection established\r\n\r\n"u8.ToArray());
        await CarryAsync(stream, server);
    }

    public async Task ServeSocksAsync(Stream stream, Func<string, int, Task<Socket>> connect)
    {
        await ReadAsync(stream, (await ReadAsync(stream, 2))[1]);
        await stream.WriteAsync(new byte[] { 5, 2 });
        var user = await TextAsync(stream, (await ReadAsync(stream, 2))[1]);
        var password = await TextAsync(stream, (await ReadAsync(stream, 1))[0]);
        var good = user == User && password == Password;
        await stream.WriteAsync(new byte[] { 1, (byte)(good ? 0 : 1) });
        if (!good) return;
        var kind = (await ReadAsync(stream, 4))[3];
        var host = kind == 3 ? await TextAsync(stream, (await ReadAsync(stream, 1))[0]) : new IPAddress(await ReadAsync(stream, 4)).ToString();
        var port = await ReadAsync(stream, 2);
        var target = $"{host}:{(port[0] << 8) | port[1]}";
        Asked.Enqueue(target);
        using var server = await ConnectAsync(target, connect);
        await stream.WriteAsync(new byte[] { 5, 0, 0, 1, 0, 0, 0, 0, 0, 0 });
        await CarryAsync(stream, server);
    }

    private static Task<Socket> ConnectAsync(string target, Func<string, int, Task<Socket>> connect)
    {
        var colon = target.LastIndexOf(':');
        return connect(target[..colon], int.Parse(target.AsSpan(colon + 1), CultureInfo.InvariantCulture));
    }

    private static async Task CarryAsync(Stream client, Socket server)
    {
        await using var stream = new NetworkStream(server);
        await Task.WhenAny(client.CopyToAsync(stream), stream.CopyToAsync(client));
    }

    private static async Task<string> TextAsync(Stream stream, int length) => Encoding.UTF8.GetString(await ReadAsync(stream, length));

    private static async Task<byte[]> ReadAsync(Stream stream, int length)
    {
        var bytes = new byte[length];
        await stream.ReadExactlyAsync(bytes);
        return bytes;
    }
}
