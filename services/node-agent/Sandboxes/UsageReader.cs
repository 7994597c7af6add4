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
        var inside = await box.Guest.UsageAsync(cancellationToken);
        // Of gVisor, the host sees threads of its own; the guest counts the tenant's in both.
        var used = cgroups.Usage(box.Name) with { Processes = inside.Processes };
        return new BoxUsage(used, storage.Used(box.Name), box.Record.Limits, storage.HasQuota, [.. inside.Ports.Where(port => port != GuestConnection.Port)]);
    }
}
