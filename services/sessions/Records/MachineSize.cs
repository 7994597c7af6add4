using Corral.Api.V1;
using Corral.Scheduler.V1;

namespace Corral.Sessions.Records;

/// <summary>What the machine of a sandbox has.</summary>
internal sealed record MachineSize(int CpuMillis, long MemoryBytes, long DiskBytes)
{
    /// <summary>Size <c>standard</c>.</summary>
    public static readonly MachineSize Standard = new(2000, 4L << 30, 10L << 30);

    private const int Mebibyte = 20;

    public static MachineSize Of(MachineShape shape) => new(shape.Vcpu * 1000, shape.MemoryMib << Mebibyte, shape.DiskMib << Mebibyte);

    public MachineShape ToPublic() => new() { Vcpu = CpuMillis / 1000, MemoryMib = MemoryBytes >> Mebibyte, DiskMib = DiskBytes >> Mebibyte };

    public Shape ToShape() => new() { CpuMillis = CpuMillis, MemoryBytes = MemoryBytes, DiskBytes = DiskBytes };
}
