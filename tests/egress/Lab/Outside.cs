using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Corral.NodeAgent.Host;

namespace Corral.Egress.Tests.Lab;

/// <summary>The internet: servers on addresses for documentation, in a namespace that the host is joined to by a veth.</summary>
internal sealed class Outside : IAsyncDisposable
{
    public static readonly IPAddress Host = IPAddress.Parse("203.0.113.1"), Allowed = IPAddress.Parse("203.0.113.10"), Other = IPAddress.Parse("203.0.113.11"),
        Evil = IPAddress.Parse("203.0.113.66"), Listed = IPAddress.Parse("198.51.100.7"), Private = IPAddress.Parse("10.99.0.5"),
        Resolver = IPAddress.Parse("203.0.113.53");

    public const int Echo = 5432, Banner = 22, Smtp = 25, Http = 80, Https = 443, OtherTls = 8443, Source = 9000, Digest = 9001, Reset = 9002, Mute = 9003, LateBanner = 9004;

    private readonly NetworkSpace _space;
    private readonly CancellationTokenSource _over = new();
    private readonly ConcurrentBag<Socket> _sockets = [];

    private Outside(NetworkSpace space) => _space = space;

    /// <summary>Where every connection that arrived had been dialled to, and what its client said first.</summary>
    public ConcurrentQueue<IPEndPoint> Arrived { get; } = [];

    public Nameserver Names { get; private set; } = null!;

    public PacketLog Packets { get; private set; } = null!;

    public X509Certificate2 Certificate { get; } = NewCertificate();

    public static async Task<Outside> StartAsync()
    {
        var outside = new Outside(await NetworkSpace.CreateAsync());
        await outside.JoinAsync();
        outside.Names = new Nameserver(await outside._space.SocketAsync(SocketType.Dgram), await outside._space.ListenAsync(new IPEndPoint(Resolver, 53)), Resolver)
        {
            Unlisted = name => name.EndsWith(".wild.test", StringComparison.OrdinalIgnoreCase) ? [Allowed] : null,
        };
        outside.Packets = await PacketLog.StartAsync(outside._space);
        await outside.ServeAsync(Echo, (stream, _) => EchoAsync(stream));
        await outside.ServeAsync(Banner, async (stream, _) =>
        {
            await stream.WriteAsync("SSH-2.0-lab\r\n"u8.ToArray());
            await EchoAsync(stream);
        });
        await outside.ServeAsync(Smtp, async (stream, _) => await stream.WriteAsync("220 lab\r\n"u8.ToArray()));
        await outside.ServeAsync(LateBanner, async (stream, _) =>
        {
            // Speaks only after the client has.
            var first = new byte[1];
            await stream.ReadExactlyAsync(first);
            await stream.WriteAsync("late"u8.ToArray());
            await EchoAsync(stream);
        });
        await outside.ServeAsync(Http, outside.HttpAsync);
        await outside.ServeAsync(8080, outside.HttpAsync);
        await outside.ServeAsync(Https, outside.TlsAsync);
        await outside.ServeAsync(OtherTls, outside.TlsAsync);
        await outside.ServeAsync(Source, (stream, _) => SendPatternAsync(stream));
        await outside.ServeAsync(Digest, (stream, _) => AnswerDigestAsync(stream));
        await outside.ServeAsync(Reset, async (stream, socket) =>
        {
            await stream.ReadExactlyAsync(new byte[1]);
            socket.LingerState = new LingerOption(true, 0);
            socket.Close();
        });
        await outside.ServeAsync(Mute, async (stream, _) => await stream.ReadExactlyAsync(new byte[1 << 20]));
        return outside;
    }

    /// <summary>The byte at a position of what <see cref="Source"/> sends.</summary>
    public static byte Pattern(long position) => (byte)((position * 31) ^ (position >> 8));

    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        foreach (var socket in _sockets) socket.Dispose();
        Names.Dispose();
        Packets.Dispose();
        Certificate.Dispose();
    }

    private async Task JoinAsync()
    {
        await _space.IpAsync($"""
            link set lo up
            link add out0 type veth peer name up0 netns {Environment.ProcessId}
            addr add 203.0.113.2/24 dev out0
            addr add {Allowed}/32 dev out0
            addr add {Other}/32 dev out0
            addr add {Evil}/32 dev out0
            addr add {Resolver}/32 dev out0
            addr add {Listed}/32 dev out0
            addr add {Private}/32 dev out0
            addr add 2001:db8:113::10/64 dev out0 nodad
            link set out0 up

            """);
        HostProcess.Require(HostProcess.Locate("ip"), ["-batch", "-"], $"""
            link set lo up
            addr add {Host}/24 dev up0
            addr add 2001:db8:113::1/64 dev up0 nodad
            link set up0 up
            route add 198.51.100.0/24 via 203.0.113.2
            route add 10.99.0.0/24 via 203.0.113.2

            """);
    }

    private async Task ServeAsync(int port, Func<Stream, Socket, Task> serve)
    {
        var listener = await _space.ListenAsync(new IPEndPoint(IPAddress.IPv6Any, port));
        _sockets.Add(listener);
        _ = Task.Run(async () =>
        {
            while (true)
            {
                var socket = await listener.AcceptAsync(_over.Token);
                _ = Task.Run(() => ServeOneAsync(socket, serve));
            }
        });
    }

    private async Task ServeOneAsync(Socket socket, Func<Stream, Socket, Task> serve)
    {
        var local = (IPEndPoint)socket.LocalEndPoint!;
        Arrived.Enqueue(new IPEndPoint(local.Address.IsIPv4MappedToIPv6 ? local.Address.MapToIPv4() : local.Address, local.Port));
        _sockets.Add(socket);
        try
        {
            await using var stream = new NetworkStream(socket, ownsSocket: true);
            await serve(stream, socket);
        }
        catch (Exception problem) when (problem is IOException or SocketException or ObjectDisposedException or AuthenticationException)
        {
            // The other side has gone.
        }
    }

    private static Task EchoAsync(Stream stream) => stream.CopyToAsync(stream);

    private async Task HttpAsync(Stream stream, Socket socket)
    {
        using var reader = new StreamReader(stream, Encoding.Latin1, leaveOpen: true);
        while (await reader.ReadLineAsync() is { Length: > 0 })
        {
            var host = "";
            while (await reader.ReadLineAsync() is { Length: > 0 } line)
            {
                if (line.StartsWith("Host:", StringComparison.OrdinalIgnoreCase)) host = line[5..].Trim();
            }

            var local = ((IPEndPoint)socket.LocalEndPoint!).Address.MapToIPv4();
            var body = $"{local} {host}";
            await stream.WriteAsync(Encoding.Latin1.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\n\r\n{body}"));
        }
    }

    private async Task TlsAsync(Stream stream, Socket socket)
    {
        await using var tls = new SslStream(stream);
        await tls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = Certificate });
        await HttpAsync(tls, socket);
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
