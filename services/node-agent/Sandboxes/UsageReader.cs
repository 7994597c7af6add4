using Corral.NodeAgent.Host.Cgroups;
using Corral.NodeAgent.Runtimes;
using Corral.NodeAgent.Storage;

namespace Corral.NodeAgent.Sandboxes;

/// <summary>What a box uses now, and what it serves.</summary>
internal sealed record BoxUsage(CgroupUsage Used, long? DiskBytes, BoxLimits Limits, bool HasDiskLimit, IReadOnlyList<int> Ports);

/// <summary>Reads what boxes use.</summary>
internal sealed class UsageReader(ICgroups cgroups, IStoragePool storage)
{
    public async Task<BoxUsage> ReadAsync(Box box, CancellationToken cancellationToken)
    {
        var ports = await box.Guest.PortsAsync(cancellationToken);
        return new BoxUsage(cgroups.Usage(box.Name), storage.Used(box.Name), box.Record.Limits, storage.HasQuota, ports);
    }
}
