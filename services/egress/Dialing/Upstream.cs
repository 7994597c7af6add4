using System.Net;
using System.Net.Sockets;

namespace Corral.Egress.Dialing;

/// <summary>A connection to the outside.</summary>
internal sealed class Upstream : IDisposable
{
    /// <param name="socket">The connected socket.</param>
    /// <param name="remote">What was dialled: the destination itself, or the proxy.</param>
    /// <param name="wrapped">What bytes have to go through when they may not go to the socket as they are (TLS to a proxy), or null.</param>
    public Upstream(Socket socket, IPEndPoint remote, Stream? wrapped = null) => (Socket, Remote, Wrapped) = (socket, remote, wrapped);

    public Socket Socket { get; }

    public IPEndPoint Remote { get; }

    /// <summary>Null when the socket carries the bytes as they are, so that the kernel can move them.</summary>
    public Stream? Wrapped { get; }

    /// <summary>The connection as a stream; closing it closes the connection.</summary>
    public Stream OpenStream() => Wrapped ?? new NetworkStream(Socket, ownsSocket: true);

    public void Dispose()
    {
        Wrapped?.Dispose();
        Socket.Dispose();
    }
}
