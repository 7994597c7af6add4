using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;

namespace Corral.Termination.Tests;

/// <summary>A client that sends exactly what it is given.</summary>
internal sealed class RawClient(Stream stream) : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    public static async Task<RawClient> PlainAsync(int port)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, port);
        return new RawClient(new NetworkStream(socket, ownsSocket: true));
    }

    public static async Task<RawClient> TlsAsync(Terminating terminating, int port, string name, SslApplicationProtocol? protocol = null)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, port);
        var tls = new SslStream(new NetworkStream(socket, ownsSocket: true));
        var options = terminating.Trusting(name);
        options.ApplicationProtocols = [protocol ?? SslApplicationProtocol.Http11];
        await tls.AuthenticateAsClientAsync(options).WaitAsync(Patience);
        return new RawClient(tls);
    }

    public Stream Stream => stream;

    public Task SendAsync(string text) => stream.WriteAsync(Encoding.Latin1.GetBytes(text)).AsTask();

    /// <summary>The next answer, headers and body; "" when the connection is closed instead.</summary>
    public async Task<string> AnswerAsync()
    {
        var head = new StringBuilder();
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            if (await ReadAsync(1) is not { Length: 1 } next) return "";
            head.Append(next);
        }

        var text = head.ToString();
        var length = text.Split("\r\n").FirstOrDefault(line => line.StartsWith("content-length:", StringComparison.OrdinalIgnoreCase));
        return text + (length is null ? "" : await ReadAsync(int.Parse(length[15..], null)));
    }

    /// <summary>Everything until the other side closes.</summary>
    public async Task<string> RestAsync()
    {
        using var all = new MemoryStream();
        try
        {
            await stream.CopyToAsync(all).WaitAsync(Patience);
        }
        catch (IOException)
        {
            // A reset is an end too.
        }

        return Encoding.Latin1.GetString(all.ToArray());
    }

    public ValueTask DisposeAsync() => stream.DisposeAsync();

    private async Task<string> ReadAsync(int length)
    {
        var bytes = new byte[length];
        try
        {
            var read = await stream.ReadAtLeastAsync(bytes, length, throwOnEndOfStream: false).AsTask().WaitAsync(Patience);
            return Encoding.Latin1.GetString(bytes, 0, read);
        }
        catch (IOException)
        {
            return "";
        }
    }
}
