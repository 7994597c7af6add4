using System.Collections.Concurrent;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;

namespace Corral.Fault.Tests.Lab;

/// <summary>A server of HTTP/1.1 over TLS that breaks its answers as it is asked to, and keeps the head of every request.</summary>
internal sealed class FaultyServer(ServerCertificates certificates)
{
    /// <summary>What a whole answer says.</summary>
    public const string Whole = "a whole answer";

    /// <summary>What an answer says that nobody asked for.</summary>
    public const string Forged = "an answer to nobody";

    public ConcurrentQueue<string> Heads { get; } = [];

    public async Task ServeAsync(NetworkStream connection)
    {
        await using var tls = new SslStream(connection);
        await tls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = certificates.Server });
        while (await ReadHeadAsync(tls) is { Length: > 0 } head)
        {
            Heads.Enqueue(head);
            if (!await AnswerAsync(tls, connection.Socket, head.Split(' ')[1])) return;
        }
    }

    // Whether the connection goes on.
    private static async Task<bool> AnswerAsync(SslStream stream, Socket socket, string path)
    {
        switch (path)
        {
            case "/silent":
                return await StallAsync(stream);
            case "/stalls":
                await SayAsync(stream, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nthe beginning");
                return await StallAsync(stream);
            case "/resets":
                await SayAsync(stream, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nthe beginning");
                socket.LingerState = new LingerOption(true, 0);
                socket.Close();
                return false;
            case "/says-more-than-it-has":
                await SayAsync(stream, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nthe beginning");
                return false;
            case "/has-more-than-it-says":
                await SayAsync(stream, $"{Answer(Whole)}{Answer(Forged)}");
                return true;
            case "/cuts-its-chunks":
                await SayAsync(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n400\r\nthe beginning");
                return false;
            case "/ends-between-chunks":
                await SayAsync(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nd\r\nthe beginning\r\n");
                return false;
            case "/breaks-its-head":
                await SayAsync(stream, "HTTP/1");
                return false;
            default:
                await SayAsync(stream, Answer(Whole));
                return true;
        }
    }

    private static string Answer(string body) => $"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\n\r\n{body}";

    // Until the other side has had enough.
    private static async Task<bool> StallAsync(SslStream stream)
    {
        await stream.ReadAtLeastAsync(new byte[1], 1, throwOnEndOfStream: false);
        return false;
    }

    private static async Task SayAsync(SslStream stream, string text)
    {
        await stream.WriteAsync(Encoding.ASCII.GetBytes(text));
        await stream.FlushAsync();
    }

    private static async Task<string> ReadHeadAsync(SslStream stream)
    {
        var head = new StringBuilder();
        var one = new byte[1];
        while (await stream.ReadAsync(one) == 1)
        {
            head.Append((char)one[0]);
            if (one[0] == '\n' && head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal)) return head.ToString();
        }

        return "";
    }
}
