using Corral.NodeAgent.Networks;
using Corral.NodeAgent.Sandboxes;

namespace Corral.NodeAgent;

/// <summary>Recovers before anything is answered, and stops taking sandboxes when the host stops. Those that run go on without us.</summary>
internal sealed class NodeStart(Recovery recovery, NetworkPool networks, SandboxTable table, BoxView view) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        _ = view; // opened before anything could want it
        await recovery.RunAsync(adopt: true, cancellationToken);
        networks.Start();
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        table.Close();
        return Task.CompletedTask;
    }
}
