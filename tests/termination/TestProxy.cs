using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;

namespace Corral.Termination.Tests;

/// <summary>A proxy of the tests: CONNECT, CONNECT inside TLS, or SOCKS 5. Names lead to ports of the loopback.</summary>
internal sealed class TestProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly string _scheme;
    private readonly string? _user;
    private readonly string? _password;
    private readonly ConcurrentDictionary<string, int> _ports = new();

    private TestProxy(string scheme, string? user, string? password) => (_scheme, _user, _password) = (scheme, user, password);

    /// <summary>What it was asked for.</summary>
    public ConcurrentQueue<string> Asked { get; } = [];

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>What is sent together with the answer, as if the server spoke first.</summary>
    public string Banner { get; set; } = "";

    /// <summary>Answered in place of a tunnel, when it is not empty.</summary>
    public string Instead { get; set; } = "";

    public static TestProxy Start(string scheme, string? user = null, string? password = null)
    {
        var proxy = new TestProxy(scheme, user, password);
        proxy._listener.Start();
        _ = proxy.AcceptAsync();
        return proxy;
    }

    /// <summary>Its address, with the user and password that it is given.</summary>
    public string Address(string credentials = "") => $"{_scheme}://{(credentials.Length > 0 ? credentials + "@" : "")}proxy.test:{Port}";

    public void Map(string target, int port) => _ports[target] = port;

    public ValueTask DisposeAsync()
    {
        _listener.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true) _ = ServeAsync(await _listener.AcceptSocketAsync());
        }
        catch (Exception problem) when (problem is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        Stream stream = new NetworkStream(socket, ownsSocket: true);
        try
        {
            if (_scheme == "https")
            {
                var tls = new SslStream(stream);
                stream = tls;
                await tls.AuthenticateAsServerAsync(TestAuthority.Shared.Sign(expired: false, "proxy.test"));
            }

            var target = _scheme == "socks5" ? await SocksAsync(stream) : await ConnectAsync(stream);
            if (target is null) return;
            await TunnelAsync(stream, target);
        }
        catch (Exception problem) when (problem is IOException or SocketException or AuthenticationException)
        {
            // One side has gone.
        }
        finally
        {
            await stream.DisposeAsync();
        }
    }

    private async Task<string?> ConnectAsync(Stream stream)
    {
        var head = "";
        while (!head.EndsWith("\r\n\r\n", StringComparison.Ordinal)) head += (char)(await ReadAsync(stream, 1))[0];
        var expected = "Proxy-Authorization: Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"{_user}:{_password}"));
        if (_user is not null && !head.Split("\r\n").Contains(expected))
        {
            await stream.WriteAsync("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"u8.ToArray());
            return null;
        }

        var target = Take(head.Split(' ')[1]);
        await stream.WriteAsync(Encoding.Latin1.GetBytes(target is null ? Instead : "HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n" + Banner));
        return target;
    }

    private async Task<string?> SocksAsync(Stream stream)
    {
        var methods = await ReadAsync(stream, (await ReadAsync(stream, 2))[1]);
        await stream.WriteAsync(new byte[] { 5, (byte)(_user is null ? 0 : methods.Contains((byte)2) ? 2 : 255) });
        if (_user is not null)
        {
            var user = await TextAsync(stream, (await ReadAsync(stream, 2))[1]);
            var password = await TextAsync(stream, (await ReadAsync(stream, 1))[0]);
            var good = user == _user && password == _password;
            await stream.WriteAsync(new byte[] { 1, (byte)(good ? 0 : 1) });
            if (!good) return null;
        }

        var request = await ReadAsync(stream, 4);
        var host = request[3] == 3 ? await TextAsync(stream, (await ReadAsync(stream, 1))[0]) : new IPAddress(await ReadAsync(stream, 4)).ToString();
        var port = await ReadAsync(stream, 2);
        var target = Take($"{host}:{(port[0] << 8) | port[1]}");
        byte[] answer = [5, (byte)(target is null ? 2 : 0), 0, 3, 4, .. "here"u8, 0, 80];
        await stream.WriteAsync(target is null ? answer : [.. answer, .. Encoding.Latin1.GetBytes(Banner)]);
        return target;
    }

    // Before it is answered: whoever has the answer may look. Null when it is to be refused.
    private string? Take(string target)
    {
        if (Instead.Length > 0) return null;
        Asked.Enqueue(target);
        return target;
    }

    private async Task TunnelAsync(Stream stream, string target)
    {
        if (!_ports.TryGetValue(target, out var port))
        {
            // Nobody's server: it stays open until the other side goes.
            await stream.CopyToAsync(Stream.Null);
            return;
        }

        using var server = new TcpClient();
        await server.ConnectAsync(IPAddress.Loopback, port);
        await Task.WhenAny(stream.CopyToAsync(server.GetStream()), server.GetStream().CopyToAsync(stream));
    }

    private static async Task<string> TextAsync(Stream stream, int length) => Encoding.UTF8.GetString(await ReadAsync(stream, length));

    private static async Task<byte[]> ReadAsync(Stream stream, int length)
    {
        var bytes = new byte[length];
        await stream.ReadExactlyAsync(bytes);
        return bytes;
    }
}
