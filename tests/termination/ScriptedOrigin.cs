using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;

namespace Corral.Termination.Tests;

/// <summary>A TLS server that answers whatever it is asked with the same bytes.</summary>
internal sealed class ScriptedOrigin : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <param name="answer">The bytes.</param>
    /// <param name="close">Whether it closes after them.</param>
    public static Task<ScriptedOrigin> StartAsync(string answer, bool close = false)
    {
        var origin = new ScriptedOrigin();
        origin._listener.Start();
        _ = origin.AcceptAsync(Encoding.Latin1.GetBytes(answer), close);
        return Task.FromResult(origin);
    }

    public ValueTask DisposeAsync()
    {
        _listener.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task AcceptAsync(byte[] answer, bool close)
    {
        var certificate = TestAuthority.Shared.Sign(expired: false, "api.test");
        try
        {
            while (true) _ = ServeAsync(await _listener.AcceptSocketAsync(), certificate, answer, close);
        }
        catch (Exception problem) when (problem is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private static async Task ServeAsync(Socket socket, System.Security.Cryptography.X509Certificates.X509Certificate2 certificate, byte[] answer, bool close)
    {
        await using var tls = new SslStream(new NetworkStream(socket, ownsSocket: true));
        try
        {
            await tls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = certificate, ApplicationProtocols = [SslApplicationProtocol.Http11] });
            var (buffer, tail) = (new byte[64 * 1024], "");
            while (await tls.ReadAsync(buffer) is var read and > 0)
            {
                tail += Encoding.Latin1.GetString(buffer, 0, read);
                if (!tail.EndsWith("\r\n\r\n", StringComparison.Ordinal)) continue;
                tail = "";
                await tls.WriteAsync(answer);
                if (close) return;
            }
        }
        catch (Exception problem) when (problem is IOException or AuthenticationException)
        {
            // The other side has had enough.
        }
    }
}
