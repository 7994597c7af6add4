using System.Net.Sockets;

namespace Corral.Egress.Flows.Splicing;

/// <summary>When a socket can be read and written again.</summary>
internal sealed class SocketReadiness(long tag, Socket socket)
{
    public long Tag { get; } = tag;

    public Socket Socket { get; } = socket;

    public AsyncSignal Readable { get; } = new();

    public AsyncSignal Writable { get; } = new();

    public void SetBoth()
    {
        Readable.Set();
        Writable.Set();
    }
}
