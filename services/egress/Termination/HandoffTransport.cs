using System.Net;
using Microsoft.AspNetCore.Connections;

namespace Corral.Egress.Termination;

/// <summary>The transport of <see cref="HandoffEndPoint"/>s.</summary>
internal sealed class HandoffTransport : IConnectionListenerFactory
{
    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) =>
        ValueTask.FromResult<IConnectionListener>(new Listener((HandoffEndPoint)endpoint));

    private sealed class Listener(HandoffEndPoint endPoint) : IConnectionListener
    {
        public EndPoint EndPoint => endPoint;

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
        {
            while (await endPoint.Reader.WaitToReadAsync(cancellationToken))
            {
                if (endPoint.Reader.TryRead(out var connection))
                {
                    return connection;
                }
            }

            return null;
        }

        public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
        {
            endPoint.Writer.TryComplete();
            return ValueTask.CompletedTask;
        }

        public ValueTask DisposeAsync() => UnbindAsync();
    }
}
