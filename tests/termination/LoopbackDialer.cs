using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Corral.Egress.Dialing;
using Corral.Egress.Flows;
using Corral.Egress.Gates;

namespace Corral.Termination.Tests;

/// <summary>The tests' own name service: names lead to ports of the loopback, or to a refusal.</summary>
internal sealed class LoopbackDialer : IUpstreamDialer
{
    private readonly ConcurrentDictionary<string, int> _ports = new();
    private readonly ConcurrentDictionary<string, string> _refusals = new();
    private int _dialled;

    /// <summary>How often a server was dialled.</summary>
    public int Dialled => Volatile.Read(ref _dialled);

    /// <summary>What every connection waits for.</summary>
    public Task Open { get; set; } = Task.CompletedTask;

    public void Map(string name, int port) => _ports[name] = port;

    public void Refuse(string name, string reason) => _refusals[name] = reason;

    public async ValueTask<DialOutcome> ConnectAsync(AttachedSandbox sandbox, DialTarget target, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _dialled);
        await Open.WaitAsync(cancellationToken);
        if (_refusals.TryGetValue(target.Name ?? "", out var reason)) return DialOutcome.Refused(reason);
        var remote = new IPEndPoint(IPAddress.Loopback, target.Name is { } name ? _ports.GetValueOrDefault(name, 1) : target.Port);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(remote, cancellationToken);
            return DialOutcome.Connected(new Upstream(socket, remote));
        }
        catch (SocketException)
        {
            socket.Dispose();
            return DialOutcome.Refused(Refusals.ConnectFailed);
        }
    }
}
