using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Corral.Egress.Tests.Lab;

/// <summary>Servers on addresses for documentation.</summary>
internal sealed class Outside : IAsyncDisposable
{
    public static readonly IPAddress Allowed = IPAddress.Parse("203.0.113.10"), Other = IPAddress.Parse("203.0.113.11"),
        Evil = IPAddress.Parse("203.0.113.66"), Listed = IPAddress.Parse("198.51.100.7"), Private = IPAddress.Parse("10.99.0.5");

    public const int Echo = 5432, Banner = 22, Smtp = 25, Http = 80, Https = 443, OtherTls = 8443, Source = 9000, Digest = 9001, Reset = 9002, Mute = 9003, LateBanner = 9004, TlsProxy = 3129;

    private readonly Internet _internet;

    private Outside(Internet internet) => _internet = internet;

    /// <summary>Where every connection that arrived had been dialled to.</summary>
    public ConcurrentQueue<IPEndPoint> Connections => _internet.Connections;

    public Nameserver Names => _internet.Names;

    public PacketLog Packets => _internet.Packets;

    public X509Certificate2 Certificate { get; } = NewCertificate();

    public static async Task<Outside> StartAsync()
    {
        var internet = await Internet.StartAsync(Allowed, Other, Evil, Listed, Private);
        internet.Names.Unlisted = name => name.EndsWith(".wild.test", StringComparison.OrdinalIgnoreCase) ? [Allowed] : null;
        var outside = new Outside(internet);
        await internet.ServeAsync(Echo, (stream, _) => EchoAsync(stream));
        await internet.ServeAsync(Banner, async (stream, _) =>
        {
            await stream.WriteAsync("SSH-2.0-lab\r\n"u8.ToArray());
            await EchoAsync(stream);
        });
        await internet.ServeAsync(Smtp, async (stream, _) => await stream.WriteAsync("220 lab\r\n"u8.ToArray()));
        await internet.ServeAsync(LateBanner, async (stream, _) =>
        {
            // Speaks only after the client has.
            var first = new byte[1];
            await stream.ReadExactlyAsync(first);
            await stream.WriteAsync("late"u8.ToArray());
            await EchoAsync(stream);
        });
        await internet.ServeAsync(Http, HttpAsync);
        await internet.ServeAsync(8080, HttpAsync);
        await internet.ServeAsync(Https, outside.TlsAsync);
        await internet.ServeAsync(OtherTls, outside.TlsAsync);
        await internet.ServeAsync(TlsProxy, outside.ProxyAsync);
        await internet.ServeAsync(Source, (stream, _) => SendPatternAsync(stream));
        await internet.ServeAsync(Digest, (stream, _) => AnswerDigestAsync(stream));
        await internet.ServeAsync(Reset, async (stream, _) =>
        {
            await stream.ReadExactlyAsync(new byte[1]);
            stream.Socket.LingerState = new LingerOption(true, 0);
            stream.Socket.Close();
        });
        await internet.ServeAsync(Mute, async (stream, _) => await stream.ReadExactlyAsync(new byte[1 << 20]));
        return outside;
    }

    /// <summary>The byte at a position of what <see cref="Source"/> sends.</summary>
    public static byte Pattern(long position) => (byte)((position * 31) ^ (position >> 8));

    public async ValueTask DisposeAsync()
    {
        await _internet.DisposeAsync();
        Certificate.Dispose();
    }

    private static Task EchoAsync(Stream stream) => stream.CopyToAsync(stream);

    private static async Task HttpAsync(Stream stream, IPEndPoint dialled)
    {
        using var reader = new StreamReader(stream, Encoding.Latin1, leaveOpen: true);
        while (await reader.ReadLineAsync() is { Length: > 0 })
        {
            var host = "";
            while (await reader.ReadLineAsync() is { Length: > 0 } line)
            {
                if (line.StartsWith("Host:", StringComparison.OrdinalIgnoreCase)) host = line[5..].Trim();
            }

            var body = $"{dialled.Address} {host}";
            await stream.WriteAsync(Encoding.Latin1.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\n\r\n{body}"));
        }
    }

    private async Task TlsAsync(Stream stream, IPEndPoint dialled)
    {
        await using var tls = new SslStream(stream);
        await tls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = Certificate });
        await HttpAsync(tls, dialled);
    }

    // Whatever it is asked for, it echoes itself.
    private async Task ProxyAsync(Stream stream, IPEndPoint dialled)
    {
        await using var tls = new SslStream(stream);
        await tls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = Certificate });
        using var reader = new StreamReader(tls, Encoding.Latin1, leaveOpen: true);
        while (await reader.ReadLineAsync() is { Length: > 0 })
        {
        }

        await tls.WriteAsync("HTTP/1.1 200 OK\r\n\r\n"u8.ToArray());
        await EchoAsync(tls);
    }

    private static async Task SendPatternAsync(Stream stream)
    {
        var wanted = new byte[8];
        await stream.ReadExactlyAsync(wanted);
        var rest = BinaryPrimitives.ReadInt64BigEndian(wanted);
        var buffer = new byte[256 * 1024];
        for (long sent = 0; rest > 0;)
        {
            var length = (int)Math.Min(rest, buffer.Length);
            for (var i = 0; i < length; i++) buffer[i] = Pattern(sent + i);
            await stream.WriteAsync(buffer.AsMemory(0, length));
            (sent, rest) = (sent + length, rest - length);
        }
    }

    private static async Task AnswerDigestAsync(Stream stream) => await stream.WriteAsync(await SHA256.HashDataAsync(stream));

    private static X509Certificate2 NewCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=lab", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        foreach (var name in new[] { "allowed.test", "other.test", "evil.test", "*.wild.test", "transform.test" }) names.AddDnsName(name);
        request.CertificateExtensions.Add(names.Build());
        using var made = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
    }
}
