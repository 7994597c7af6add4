using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using Corral.NodeAgent.Host;

namespace Corral.Tests.Lab;

/// <summary>
/// The internet as the tests have it: a namespace that the host is joined to by a veth, with a nameserver and a record of what arrives. Every
/// address in it has a route from the host, so that nothing but the product keeps a sandbox from it.
/// </summary>
internal sealed class Internet : IAsyncDisposable
{
    public static readonly IPAddress Host = IPAddress.Parse("203.0.113.1"), Resolver = IPAddress.Parse("203.0.113.53");

    private readonly CancellationTokenSource _over = new();
    private readonly ConcurrentBag<Socket> _sockets = [];

    private Internet(NetworkSpace space) => Space = space;

    public NetworkSpace Space { get; }

    /// <summary>Where every connection that arrived had been dialled to.</summary>
    public ConcurrentQueue<IPEndPoint> Connections { get; } = [];

    public Nameserver Names { get; private set; } = null!;

    public PacketLog Packets { get; private set; } = null!;

    /// <summary>Begins one that has these IPv4 addresses, and a few of IPv6.</summary>
    public static async Task<Internet> StartAsync(params IEnumerable<IPAddress> addresses)
    {
        var internet = new Internet(await NetworkSpace.CreateAsync());
        await internet.JoinAsync([Resolver, .. addresses]);
        internet.Names = new Nameserver(await internet.Space.SocketAsync(SocketType.Dgram), await internet.Space.ListenAsync(new IPEndPoint(Resolver, 53)), Resolver);
        internet.Packets = await PacketLog.StartAsync(internet.Space);
        return internet;
    }

    /// <summary>Serves the connections to a port, on every address. What serves them is told where they were dialled to.</summary>
    public async Task ServeAsync(int port, Func<NetworkStream, IPEndPoint, Task> serve)
    {
        var listener = await Space.ListenAsync(new IPEndPoint(IPAddress.IPv6Any, port));
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

    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        foreach (var socket in _sockets) socket.Dispose();
        Names.Dispose();
        Packets.Dispose();
    }

    private async Task JoinAsync(IReadOnlyList<IPAddress> addresses)
    {
        await Space.IpAsync($"""
            link set lo up
            link add out0 type veth peer name up0 netns {Environment.ProcessId}
            addr add 203.0.113.2/24 dev out0
            addr add 2001:db8:113::10/64 dev out0 nodad
            addr add fd00:113::5/64 dev out0 nodad
            {string.Join('\n', addresses.Select(address => $"addr add {address}/32 dev out0"))}
            link set out0 up

            """);
        HostProcess.Require(HostProcess.Locate("ip"), ["-batch", "-"], $"""
            link set lo up
            addr add {Host}/24 dev up0
            addr add 2001:db8:113::1/64 dev up0 nodad
            addr add fd00:113::1/64 dev up0 nodad
            link set up0 up
            {string.Join('\n', addresses.Where(address => address.GetAddressBytes()[0] != 203).Select(address => $"route add {address}/32 via 203.0.113.2"))}

            """);
    }

    private async Task ServeOneAsync(Socket socket, Func<NetworkStream, IPEndPoint, Task> serve)
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
}
