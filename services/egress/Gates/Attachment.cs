using Corral.Egress.Dns;
using Corral.Egress.Flows;

namespace Corral.Egress.Gates;

/// <summary>A gate that is taken: its sandbox, its sockets, and the loops that serve them.</summary>
internal sealed class Attachment(AttachedSandbox sandbox, GateSockets sockets) : IAsyncDisposable
{
    private Task _serving = Task.CompletedTask;

    public AttachedSandbox Sandbox { get; } = sandbox;

    public ulong Gate { get; } = sockets.Gate;

    public void Start(FlowServer flows, DnsServer dns)
    {
        sockets.Listen();
        _serving = Task.WhenAll(
            flows.ServeAsync(Sandbox, sockets.Tcp),
            dns.ServeUdpAsync(Sandbox, sockets.DnsUdp),
            dns.ServeTcpAsync(Sandbox, sockets.DnsTcp));
    }

    /// <summary>Lets the gate go, and returns when nothing of it is left.</summary>
    public async ValueTask DisposeAsync()
    {
        Sandbox.Detach();
        sockets.Dispose();
        await _serving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Sandbox.Flows.AllEndedAsync();
        Sandbox.Dispose();
    }
}
