using System.Collections.Concurrent;
using Corral.NodeAgent.Commands;
using Corral.NodeAgent.Host;
using Corral.NodeAgent.Host.Cgroups;
using Corral.NodeAgent.Networks;
using Corral.NodeAgent.Runtimes;
using Corral.NodeAgent.Storage;

namespace Corral.NodeAgent.Sandboxes;

/// <summary>
/// Brings the host and the journal together when the node-agent starts: sandboxes that run and are whole are adopted; everything else that
/// is this node's, down to the last mount, is removed.
/// </summary>
internal sealed partial class Recovery(
    NodePaths paths, Journal journal, ICgroups cgroups, IStoragePool storage, NetworkPool networks, RuntimeCatalog runtimes, BoxStarter starter,
    BoxRemover remover, SandboxTable table, LastingCommands commands, TimeProvider clock, ILogger<Recovery> log)
{
    // Guests that do not answer are waited for together.
    private const int AdoptedAtOnce = 16, RemovedAtOnce = 4;

    private static readonly TimeSpan GuestPatience = TimeSpan.FromSeconds(10);

    public async Task RunAsync(bool adopt, CancellationToken cancellationToken)
    {
        var records = journal.Read();
        var adopted = new ConcurrentBag<string>();
        await Parallel.ForEachAsync(
            records.Values.OfType<BoxRecord>().Where(record => adopt && record.State == BoxState.Running), Together(AdoptedAtOnce), async (record, cancel) =>
            {
                if (await TryAdoptAsync(record, cancel) is not { } box) return;
                adopted.Add(record.Box);
                table.Adopt(box);
                await commands.AdoptAsync(box, cancel);
            });

        var left = Everything(records.Keys).Except(adopted).ToList();
        await Parallel.ForEachAsync(left, Together(RemovedAtOnce), async (box, _) => await RemoveAsync(box, records.GetValueOrDefault(box)));
        var used = adopted.Select(box => records[box]!.Network).ToHashSet();
        foreach (var network in networks.List().Where(name => !used.Contains(name))) networks.Remove(network);
        LogRecovered(adopted.Count, left.Count);

        ParallelOptions Together(int most) => new() { MaxDegreeOfParallelism = most, CancellationToken = cancellationToken };
    }

    private IEnumerable<string> Everything(IEnumerable<string> journalled) =>
        journalled.Concat(cgroups.List()).Concat(storage.List())
            .Concat(Directory.EnumerateDirectories(paths.Boxes).Select(path => Path.GetFileName(path)))
            .Concat(runtimes.All.SelectMany(runtime => runtime.List()))
            .Distinct();

    private async Task<Box?> TryAdoptAsync(BoxRecord record, CancellationToken cancellationToken)
    {
        if (record.PidStarted == 0 || HostPid.Started(record.Pid) != record.PidStarted) return null;
        if (networks.TryOpen(record.Network) is not { } network) return null;
        try
        {
            using var patience = new CancellationTokenSource(GuestPatience, clock);
            using var both = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
            return await starter.AdoptAsync(record, network, both.Token);
        }
        catch (Exception problem) when (!cancellationToken.IsCancellationRequested)
        {
            LogNotAdopted(problem, record.SandboxId, record.Generation);
            network.Dispose();
            return null;
        }
    }

    private async Task RemoveAsync(string box, BoxRecord? record)
    {
        try
        {
            await remover.RemoveAsync(box, record?.Network ?? "");
        }
        catch (Exception problem) when (problem is HostException or IOException or UnauthorizedAccessException)
        {
            // Its journal entry, if it had one, is still there: the next start of the node tries again.
            LogNotRemoved(problem, box);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Adopted {Adopted} sandboxes, removed what was left of {Removed} boxes.")]
    private partial void LogRecovered(int adopted, int removed);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Sandbox {SandboxId}, generation {Generation}, runs but its guest does not answer; it is removed.")]
    private partial void LogNotAdopted(Exception problem, string sandboxId, long generation);

    [LoggerMessage(Level = LogLevel.Error, Message = "What is left of box {Box} could not be removed.")]
    private partial void LogNotRemoved(Exception problem, string box);
}
