using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Corral.NodeAgent;

/// <summary>Settings of the node, section <c>Node</c>.</summary>
public sealed class NodeOptions
{
    /// <summary>The node's id; the host's name by default.</summary>
    public string Id { get; set; } = Environment.MachineName;

    /// <summary>Where the other services reach it; its Unix socket by default.</summary>
    public string Address { get; set; } = "";

    /// <summary>Its region, three lower-case letters. <c>CORRAL_REGION</c> sets it too.</summary>
    [RegularExpression("^[a-z]{3}$")]
    public string Region { get; set; } = Environment.GetEnvironmentVariable("CORRAL_REGION") is { Length: > 0 } region ? region : "iad";

    /// <summary>The default isolation, <c>runsc</c> or <c>runc</c>; empty prefers gVisor. <c>CORRAL_RUNTIME</c> sets it too.</summary>
    [RegularExpression("^(runsc|runc)?$")]
    public string Isolation { get; set; } = Environment.GetEnvironmentVariable("CORRAL_RUNTIME") ?? "";

    /// <summary>What serves the isolation <c>runc</c>: <c>auto</c>, <c>crun</c> or <c>runc</c>.</summary>
    [RegularExpression("^(auto|crun|runc)$")]
    public string HostKernelRuntime { get; set; } = "auto";

    /// <summary>Where writable layers lie: <c>auto</c> (btrfs where the host can), <c>btrfs</c> or <c>directory</c>.</summary>
    [RegularExpression("^(auto|btrfs|directory)$")]
    public string Storage { get; set; } = "auto";

    /// <summary>Size of the btrfs pool's sparse file, in bytes; 0 means four fifths of what is free when it is made.</summary>
    [Range(0, long.MaxValue)]
    public long PoolBytes { get; set; }

    /// <summary>The guest's program, for templates that bring none; empty means <c>corral-guest</c> beside this program or under <c>CORRAL_HOME/services/guest</c>.</summary>
    public string GuestBinary { get; set; } = "";

    /// <summary>Networks prepared ahead.</summary>
    [Range(1, 1000)]
    public int PreparedNetworks { get; set; } = 8;

    /// <summary>Cold starts at a time; 0 means two a processor. More only makes each slower.</summary>
    [Range(0, 1000)]
    public int ConcurrentStarts { get; set; }

    /// <summary>At most so many sandboxes; 0 means as many as processors and memory are given to.</summary>
    [Range(0, 100_000)]
    public int MaxSandboxes { get; set; }

    /// <summary>Memory given to sandboxes, in bytes; 0 means the host's times <see cref="MemoryOvercommit"/>.</summary>
    [Range(0, long.MaxValue)]
    public long MemoryBytes { get; set; }

    /// <summary>Processor time given to sandboxes, in thousandths; 0 means the host's times <see cref="CpuOvercommit"/>.</summary>
    [Range(0, int.MaxValue)]
    public int CpuMillis { get; set; }

    /// <summary>How often processors are given away: sandboxes wait most of the time.</summary>
    [Range(0.1, 1000)]
    public double CpuOvercommit { get; set; } = 32;

    /// <summary>How often memory is given away. When the host runs out, it is sandboxes that are killed.</summary>
    [Range(0.1, 1000)]
    public double MemoryOvercommit { get; set; } = 8;

    /// <summary>How often the disk is given away.</summary>
    [Range(0.1, 1000)]
    public double DiskOvercommit { get; set; } = 16;

    /// <summary>How many warm sandboxes of each template to hold while the scheduler says nothing, in the default isolation.</summary>
    [Range(0, 1000)]
    public int WarmPerTemplate { get; set; }

    /// <summary>How long a box may take from its start until its guest answers.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan StartTimeout { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>Tells the host's kernel to favour moves between cgroups: starts get 10 ms faster. It is a setting of the whole host.</summary>
    public bool FavourCgroupMoves { get; set; } = true;
}

/// <summary>Refuses bad settings before the node listens.</summary>
[OptionsValidator]
internal sealed partial class NodeOptionsValidator : IValidateOptions<NodeOptions>;
