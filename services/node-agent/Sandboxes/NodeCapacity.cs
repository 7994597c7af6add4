using Corral.NodeAgent.Runtimes;

namespace Corral.NodeAgent.Sandboxes;

/// <summary>What the node gives to sandboxes. The scheduler places by it; the node itself refuses only what is beyond it.</summary>
internal sealed class NodeCapacity
{
    private readonly Lock _lock = new();
    private BoxLimits _taken = new(0, 0, 0, 0);
    private int _count;

    public NodeCapacity(NodeOptions options, long diskBytes)
    {
        var memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        Total = new BoxLimits(
            options.CpuMillis > 0 ? options.CpuMillis / 1000.0 : Environment.ProcessorCount * options.CpuOvercommit,
            options.MemoryBytes > 0 ? options.MemoryBytes : (long)(memory * options.MemoryOvercommit),
            (long)(diskBytes * options.DiskOvercommit), int.MaxValue);
        MaxSandboxes = options.MaxSandboxes > 0
            ? options.MaxSandboxes
            : (int)Math.Max(1, Math.Min(Total.Cpus / BoxLimits.Default.Cpus, Total.MemoryBytes / (double)BoxLimits.Default.MemoryBytes));
    }

    public BoxLimits Total { get; }

    public int MaxSandboxes { get; }

    public bool TryTake(BoxLimits limits)
    {
        lock (_lock)
        {
            if (_count >= MaxSandboxes || _taken.Cpus + limits.Cpus > Total.Cpus || _taken.MemoryBytes + limits.MemoryBytes > Total.MemoryBytes
                || _taken.DiskBytes + limits.DiskBytes > Total.DiskBytes)
                return false;
            Take(limits);
            return true;
        }
    }

    /// <summary>Counts what runs already, fitting or not.</summary>
    public void Take(BoxLimits limits)
    {
        lock (_lock)
        {
            _count++;
            _taken = new BoxLimits(_taken.Cpus + limits.Cpus, _taken.MemoryBytes + limits.MemoryBytes, _taken.DiskBytes + limits.DiskBytes, 0);
        }
    }

    public void GiveBack(BoxLimits limits)
    {
        lock (_lock)
        {
            _count--;
            _taken = new BoxLimits(_taken.Cpus - limits.Cpus, _taken.MemoryBytes - limits.MemoryBytes, _taken.DiskBytes - limits.DiskBytes, 0);
        }
    }
}
