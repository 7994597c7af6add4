using System.Net;
using System.Net.Sockets;

namespace Corral.Egress.Gates;

/// <summary>The only sockets there are in a gate: whatever the sandbox sends arrives at one of them, or nowhere.</summary>
internal sealed class GateSockets : IDisposable
{
    private const int Backlog = 256;
    private static readonly IPAddress Address = new([100, 64, 0, 1]);
    private static readonly IPEndPoint Connections = new(Address, 15001), Questions = new(Address, 53);

    /// <param name="descriptors">Two stream sockets and a datagram socket that were made in the gate.</param>
    /// <param name="gate">The inode of the gate's namespace.</param>
    public GateSockets(ReadOnlySpan<int> descriptors, ulong gate)
    {
        Gate = gate;
        (Tcp, DnsTcp, DnsUdp) = (Own(descriptors[0]), Own(descriptors[1]), Own(descriptors[2]));
    }

    public ulong Gate { get; }

    public Socket Tcp { get; }

    public Socket DnsTcp { get; }

    public Socket DnsUdp { get; }

    /// <summary>From here on the sandbox gets answers.</summary>
    public void Listen()
    {
        try
        {
            foreach (var (socket, address) in new[] { (Tcp, Connections), (DnsTcp, Questions), (DnsUdp, Questions) })
            {
                socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, socket != DnsUdp);
                socket.Bind(address);
            }

            Tcp.Listen(Backlog);
            DnsTcp.Listen(Backlog);
        }
        catch (SocketException problem)
        {
            throw new GateException($"The gate's sockets cannot be opened: {problem.SocketErrorCode}.");
        }
    }

    public void Dispose()
    {
        Tcp.Dispose();
        DnsTcp.Dispose();
        DnsUdp.Dispose();
    }

    private static Socket Own(int descriptor) => new(new SafeSocketHandle(descriptor, ownsHandle: true));
}
