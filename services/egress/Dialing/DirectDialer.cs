using System.Net;
using System.Net.Sockets;
using Corral.Egress.Dns;
using Corral.Egress.Flows;
using Corral.Egress.Gates;

namespace Corral.Egress.Dialing;

/// <summary>Connects from the host's own network.</summary>
internal sealed class DirectDialer(UpstreamResolver resolver, DestinationPolicy destinations, EgressOptions options, TimeProvider clock) : IUpstreamDialer
{
    private const int MostTried = 4;

    public async ValueTask<DialOutcome> ConnectAsync(AttachedSandbox sandbox, DialTarget target, CancellationToken cancellationToken)
    {
        var (addresses, refusal) = target.Name is { } name ? await ResolveAsync(name, cancellationToken) : ([target.Address!], null);
        if (refusal is not null) return DialOutcome.Refused(refusal);
        // Looked at here and not when it was resolved: this is what is dialled, and nothing can change in between.
        var allowed = addresses.Where(address => destinations.Allows(address, sandbox.Policy)).Take(MostTried).ToList();
        return allowed.Count == 0
            ? DialOutcome.Refused(Refusals.AddressDenied)
            : await ConnectAsync(allowed, target.Port, cancellationToken);
    }

    private async ValueTask<(IReadOnlyList<IPAddress> Addresses, string? Refusal)> ResolveAsync(string name, CancellationToken cancellationToken)
    {
        var resolution = await resolver.ResolveAsync(name, cancellationToken);
        return (resolution.Addresses, resolution.Outcome switch
        {
            ResolutionOutcome.Found => null,
            ResolutionOutcome.NotFound => Refusals.NameNotFound,
            _ => Refusals.ResolverFailed,
        });
    }

    private async ValueTask<DialOutcome> ConnectAsync(List<IPAddress> addresses, int port, CancellationToken cancellationToken)
    {
        var timedOut = false;
        foreach (var address in addresses)
        {
            // One that does not answer must not use up the time of the next.
            using var share = new CancellationTokenSource(options.ConnectTimeout / addresses.Count, clock);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(share.Token, cancellationToken);
            if (await TryConnectAsync(new IPEndPoint(address, port), either.Token) is { } upstream) return DialOutcome.Connected(upstream);
            cancellationToken.ThrowIfCancellationRequested();
            timedOut |= share.IsCancellationRequested;
        }

        return DialOutcome.Refused(timedOut ? Refusals.ConnectTimeout : Refusals.ConnectFailed);
    }

    private static async ValueTask<Upstream?> TryConnectAsync(IPEndPoint remote, CancellationToken cancellationToken)
    {
        var socket = new Socket(remote.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            await socket.ConnectAsync(remote, cancellationToken);
            return new Upstream(socket, remote);
        }
        catch (Exception problem) when (problem is SocketException or OperationCanceledException)
        {
            socket.Dispose();
            return null;
        }
    }
}
