using System.Net;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;

namespace Corral.Egress.Termination;

/// <summary>Where Kestrel accepts the connections of one kind: they come from the flows, not from a listening socket.</summary>
internal sealed class HandoffEndPoint(string name) : EndPoint
{
    // Kestrel takes them at once; whoever hands over waits when it does not.
    private readonly Channel<ConnectionContext> _connections = Channel.CreateBounded<ConnectionContext>(256);

    public ChannelWriter<ConnectionContext> Writer => _connections.Writer;

    public ChannelReader<ConnectionContext> Reader => _connections.Reader;

    public override string ToString() => name;
}
