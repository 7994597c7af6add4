using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Corral.NodeAgent.Host;

namespace Corral.Security.Tests.Lab;

/// <summary>
/// What sandboxes must and must not reach: servers on public, private and local addresses, in a namespace that the instance's host is joined to
/// by a veth. Every address has a route from the host, so that nothing but the product keeps a sandbox from it.
/// </summary>
internal sealed class Outside : IAsyncDisposable
{
    public const int Echo = 5432, Banner = 22, Smtp = 25, Http = 80, Https = 443, OtherHttp = 8080, OtherTls = 8443, HttpProxy = 3128, SocksProxy = 1080;

    public static readonly IPAddress Host = IPAddress.Parse("203.0.113.1"), Allowed = IPAddress.Parse("203.0.113.10"), Other = IPAddress.Parse("203.0.113.11"),
        Resolver = IPAddress.Parse("203.0.113.53"), Proxy = IPAddress.Parse("203.0.113.80"), Listed = IPAddress.Parse("198.51.100.7"), Private = IPAddress.Parse("10.99.0.5");

    /// <summary>Where nothing of any sandbox may ever arrive.</summary>
    public static readonly IPAddress[] Forbidden =
        [.. new[] { "203.0.113.66", "169.254.169.254", "169.254.170.2", "10.98.0.5", "172.16.77.5", "192.168.77.5", "100.100.100.200" }.Select(IPAddress.Parse)];

    /// <summary>So that attacks on one name can be told apart by their ports.</summary>
    private static readonly IEnumerable<int> MoreTls = Enumerable.Range(4431, 13);

    private readonly NetworkSpace _space;
    private readonly CancellationTokenSource _over = new();
    private readonly ConcurrentBag<Socket> _sockets = [];

    private Outside(NetworkSpace space) => _space = space;

    /// <summary>Where every connection that arrived had been dialled to.</summary>
    public ConcurrentQueue<IPEndPoint> Connections { get; } = [];

    public Nameserver Names { get; private set; } = null!;

    public PacketLog Packets { get; private set; } = null!;

    public Origin Origin { get; } = new();

    public ForwardProxy ForwardProxy { get; } = new();

    public ServerCertificates Certificates { get; } = new();

    public static async Task<Outside> StartAsync()
    {
        var outside = new Outside(await NetworkSpace.CreateAsync());
        await outside.JoinAsync();
        outside.Names = new Nameserver(await outside._space.SocketAsync(SocketType.Dgram), await outside._space.ListenAsync(new IPEndPoint(Resolver, 53)), Resolver)
        {
            TimeToLive = 0,
        };
        Zone.Fill(outside.Names);
        outside.Packets = await PacketLog.StartAsync(outside._space);
        await outside.ServeAsync(Echo, (stream, _) => stream.CopyToAsync(stream));
        foreach (var port in new[] { Banner, Smtp })
        {
            await outside.ServeAsync(port, async (stream, _) =>
            {
                await stream.WriteAsync("220 lab\r\n"u8.ToArray());
                await stream.CopyToAsync(stream);
            });
        }

        foreach (var port in new[] { Http, OtherHttp }) await outside.ServeAsync(port, outside.Origin.ServeAsync);
        foreach (var port in (int[])[Https, OtherTls, .. MoreTls]) await outside.ServeAsync(port, outside.ServeTlsAsync);
        await outside.ServeAsync(HttpProxy, (stream, _) => outside.ForwardProxy.ServeHttpAsync(stream, outside.ConnectAsync));
        await outside.ServeAsync(SocksProxy, (stream, _) => outside.ForwardProxy.ServeSocksAsync(stream, outside.ConnectAsync));
        return outside;
    }

    /// <summary>Packets that no sandbox may cause: to where nothing may arrive, or of a protocol that does not leave.</summary>
    public IReadOnlyList<string> Leaks() =>
    [
        .. Packets.Seen.Where(packet => Forbidden.Contains(packet.To) || (packet.From.Equals(Host) && !IsExpected(packet)) || IsFromASandbox(packet.From))
            .Select(packet => $"{packet.From} to {packet.To}, protocol {packet.Protocol}"),
    ];

    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        foreach (var socket in _sockets) socket.Dispose();
        Names.Dispose();
        Packets.Dispose();
        Certificates.Dispose();
    }

    // TCP, the host's own questions to the resolver, and the kernel's word that nobody listens.
    private static bool IsExpected((IPAddress From, IPAddress To, int Protocol) packet) =>
        packet.Protocol is 6 or 1 || (packet.Protocol == 17 && packet.To.Equals(Resolver));

    private static bool IsFromASandbox(IPAddress address) => address.GetAddressBytes() is [100, >= 64 and <= 127, ..] or [198, 18 or 19, ..];

    private async Task JoinAsync()
    {
        IPAddress[] served = [Allowed, Other, Resolver, Proxy, Listed, Private, .. Forbidden];
        await _space.IpAsync($"""
            link set lo up
            link add out0 type veth peer name up0 netns {Environment.ProcessId}
            addr add 203.0.113.2/24 dev out0
            addr add 2001:db8:113::10/64 dev out0 nodad
            addr add fd00:113::5/64 dev out0 nodad
            {string.Join('\n', served.Select(address => $"addr add {address}/32 dev out0"))}
            link set out0 up

            """);
        HostProcess.Require(HostProcess.Locate("ip"), ["-batch", "-"], $"""
            link set lo up
            addr add {Host}/24 dev up0
            addr add 2001:db8:113::1/64 dev up0 nodad
            addr add fd00:113::1/64 dev up0 nodad
            link set up0 up
            {string.Join('\n', served.Where(address => address.GetAddressBytes()[0] != 203).Select(address => $"route add {address}/32 via 203.0.113.2"))}

            """);
    }

    private async Task ServeAsync(int port, Func<Stream, IPEndPoint, Task> serve)
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

    private async Task ServeOneAsync(Socket socket, Func<Stream, IPEndPoint, Task> serve)
    {
        _sockets.Add(socket);
        var dialled = (IPEndPoint)socket.LocalEndPoint!;
        if (dialled.Address.IsIPv4MappedToIPv6) dialled = new IPEndPoint(dialled.Address.MapToIPv4(), dialled.Port);
        Connections.Enqueue(dialled);
        try
        {
            await using var stream = new NetworkStream(socket, ownsSocket: true);
            await serve(stream, dialled);
        }
        catch (Exception problem) when (problem is IOException or SocketException or ObjectDisposedException or AuthenticationException or FormatException)
        {
            // The other side has gone, or speaks something else.
        }
    }

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
        var socket = await _space.SocketAsync(SocketType.Stream);
        await socket.ConnectAsync(new IPEndPoint(address, port));
        return socket;
    }
}
