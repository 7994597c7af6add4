using Corral.NodeAgent.Host;
using Corral.NodeAgent.Host.Cgroups;
using Corral.NodeAgent.Networks;
using Corral.NodeAgent.Outbound;
using Corral.NodeAgent.Runtimes;
using Corral.NodeAgent.Storage;

namespace Corral.NodeAgent.Sandboxes;

/// <summary>
/// Removes everything that bears a box's name, whatever there is of it: after its end, after a start that failed, after a crash. The journal
/// goes last, so that whoever is interrupted here is followed by somebody who tries again.
/// </summary>
internal sealed class BoxRemover(
    NodePaths paths, Journal journal, ICgroups cgroups, IStoragePool storage, NetworkPool networks, RuntimeCatalog runtimes,
    GateAttacher gates, NodeTelemetry telemetry, TimeProvider clock)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    public async Task RemoveAsync(Box box)
    {
        box.DeathWatch?.Dispose();
        box.TellDied(BoxDeath.Exited);
        var detaching = gates.DetachAsync(box);
        box.Network.Dispose();
        await RemoveAsync(box.Record);
        await detaching;
    }

    public Task RemoveAsync(BoxRecord record) => RemoveAsync(record.Box, record.Network);

    /// <summary>Removes a box. Not cancellable: half removed is worse than late.</summary>
    public async Task RemoveAsync(string box, string network)
    {
        using var phase = telemetry.Begin("remove");
        await KillAsync(box);
        foreach (var runtime in runtimes.All) runtime.Forget(box);
        storage.Delete(box);
        if (network.Length > 0) networks.Remove(network);
        RuntimeProcess.Delete(paths.Bundle(box));
        journal.Remove(box);
    }

    private async Task KillAsync(string box)
    {
        var began = clock.GetTimestamp();
        var pause = TimeSpan.FromMilliseconds(1);
        while (true)
        {
            // Again each time: a runtime that was cut off mid-start may still be making processes.
            cgroups.Kill(box);
            if (cgroups.TryRemove(box)) return;
            if (clock.GetElapsedTime(began) > Patience) throw new HostException($"The processes of box {box} do not die.");
            await Task.Delay(pause, clock);
            if (pause < TimeSpan.FromMilliseconds(20)) pause *= 2;
        }
    }
}
