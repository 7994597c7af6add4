using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;

namespace Corral.Security.Tests.Lab;

/// <summary>What sandboxes must and must not reach: servers on public, private and local addresses.</summary>
internal sealed class Outside : IAsyncDisposable
{
    public const int Echo = 5432, Banner = 22, Smtp = 25, Http = 80, Https = 443, OtherHttp = 8080, OtherTls = 8443, HttpProxy = 3128, SocksProxy = 1080;

    public static readonly IPAddress Allowed = IPAddress.Parse("203.0.113.10"), Other = IPAddress.Parse("203.0.113.11"), Proxy = IPAddress.Parse("203.0.113.80"),
        Listed = IPAddress.Parse("198.51.100.7"), Private = IPAddress.Parse("10.99.0.5");

    /// <summary>Where nothing of any sandbox may ever arrive.</summary>
    public static readonly IPAddress[] Forbidden =
        [.. new[] { "203.0.113.66", "169.254.169.254", "169.254.170.2", "10.98.0.5", "172.16.77.5", "192.168.77.5", "100.100.100.200" }.Select(IPAddress.Parse)];

    /// <summary>So that attacks on one name can be told apart by their ports.</summary>
    private static readonly IEnumerable<int> MoreTls = Enumerable.Range(4431, 13);

    private readonly Internet _internet;

    private Outside(Internet internet) => _internet = internet;

    /// <summary>Where every connection that arrived had been dialled to.</summary>
    public ConcurrentQueue<IPEndPoint> Connections => _internet.Connections;

    public Nameserver Names => _internet.Names;

    public PacketLog Packets => _internet.Packets;

    public Origin Origin { get; } = new();

    public ForwardProxy ForwardProxy { get; } = new();

    public ServerCertificates Certificates { get; } =
        new("allowed.test", "other.test", "inject.test", "second.test", "permitted.test", "evil.test", "proxy.test", "*.wild.test");

    public static async Task<Outside> StartAsync()
    {
        var internet = await Internet.StartAsync([Allowed, Other, Proxy, Listed, Private, .. Forbidden]);
        internet.Names.TimeToLive = 0;
        Zone.Fill(internet.Names);
        var outside = new Outside(internet);
        await internet.ServeAsync(Echo, (stream, _) => stream.CopyToAsync(stream));
        foreach (var port in new[] { Banner, Smtp })
        {
            await internet.ServeAsync(port, async (stream, _) =>
            {
                await stream.WriteAsync("220 lab\r\n"u8.ToArray());
                await stream.CopyToAsync(stream);
            });
        }

        foreach (var port in new[] { Http, OtherHttp }) await internet.ServeAsync(port, outside.Origin.ServeAsync);
        foreach (var port in (int[])[Https, OtherTls, .. MoreTls]) await internet.ServeAsync(port, outside.ServeTlsAsync);
        await internet.ServeAsync(HttpProxy, (stream, _) => outside.ForwardProxy.ServeHttpAsync(stream, outside.ConnectAsync));
        await internet.ServeAsync(SocksProxy, (stream, _) => outside.ForwardProxy.ServeSocksAsync(stream, outside.ConnectAsync));
        return outside;
    }

    /// <summary>Packets that no sandbox may cause: to where nothing may arrive, or of a protocol that does not leave.</summary>
    public IReadOnlyList<string> Leaks() =>
    [
        .. Packets.Seen.Where(packet => Forbidden.Contains(packet.To) || (packet.From.Equals(Internet.Host) && !IsExpected(packet)) || IsFromASandbox(packet.From))
            .Select(packet => $"{packet.From} to {packet.To}, protocol {packet.Protocol}"),
    ];

    public async ValueTask DisposeAsync()
    {
        await _internet.DisposeAsync();
        Certificates.Dispose();
    }

    // TCP, the host's own questions to the resolver, and the kernel's word that nobody listens.
    private static bool IsExpected((IPAddress From, IPAddress To, int Protocol) packet) =>
        packet.Protocol is 6 or 1 || (packet.Protocol == 17 && packet.To.Equals(Internet.Resolver));

    private static bool IsFromASandbox(IPAddress address) => address.GetAddressBytes() is [100, >= 64 and <= 127, ..] or [198, 18 or 19, ..];

    private async Task ServeTlsAsync(Stream stream, IPEndPoint dialled)
    {
        await using var tls = new SslStream(stream);
        await tls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = Certificates.Server });
        await Origin.ServeAsync(tls, dialled);
    }

    // For the proxies: they resolve names as the nameserver does.
    private async Task<Socket> ConnectAsync(string host, int port)
    {
        var address = IPAddress.TryParse(host, out var literal) ? literal : Names.Zone.TryGetValue(host, out var known) ? known[0] : Allowed;
        var socket = await _internet.Space.SocketAsync(SocketType.Stream);
        await socket.ConnectAsync(new IPEndPoint(address, port));
        return socket;
    }
}
