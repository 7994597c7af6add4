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
internal sealed partial class BoxRemover(
    NodePaths paths, Journal journal, ICgroups cgroups, IStoragePool storage, NetworkPool networks, RuntimeCatalog runtimes,
    GateAttacher gates, NodeTelemetry telemetry, TimeProvider clock, ILogger<BoxRemover> log)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Again = TimeSpan.FromSeconds(15);

    /// <summary>Removes a box, however often that has to be tried: as long as anything is left of it, it is here.</summary>
    public async Task RemoveSurelyAsync(Box box)
    {
        while (!await TryAsync(box.Name, () => RemoveAsync(box))) await Task.Delay(Again, clock);
    }

    /// <summary>Removes a box that nobody knows of, at once or, when that fails, by and by. Never fails itself: what its caller tells of is why it was not wanted.</summary>
    public Task DiscardAsync(Box box) => DiscardAsync(box.Name, () => RemoveAsync(box));

    /// <summary>The same of what a start left that failed.</summary>
    public Task DiscardAsync(BoxRecord record) => DiscardAsync(record.Box, () => RemoveAsync(record.Box, record.Network));

    public async Task RemoveAsync(Box box)
    {
        box.DeathWatch?.Dispose();
        box.TellDied(BoxDeath.Exited);
        var detaching = gates.DetachAsync(box);
        box.Network.Dispose();
        await RemoveAsync(box.Name, box.Record.Network);
        await detaching;
    }

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

    private async Task DiscardAsync(string box, Func<Task> remove)
    {
        if (!await TryAsync(box, remove)) _ = LaterAsync();

        async Task LaterAsync()
        {
            do await Task.Delay(Again, clock);
            while (!await TryAsync(box, remove));
        }
    }

    private async Task<bool> TryAsync(string box, Func<Task> remove)
    {
        try
        {
            await remove();
            return true;
        }
        catch (Exception problem)
        {
            LogNotRemoved(problem, box);
            return false;
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Box {Box} could not be removed yet.")]
    private partial void LogNotRemoved(Exception problem, string box);
}
