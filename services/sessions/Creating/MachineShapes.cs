using Corral.Api.V1;
using Corral.Hosting;

namespace Corral.Sessions.Creating;

/// <summary>Machines of the caller's own measure.</summary>
internal static class MachineShapes
{
    private const long DefaultMemory = 1024;
    private const long MaxDisk = 10_240;

    /// <summary>The shape with its defaults filled in; refuses what is out of range.</summary>
    public static MachineShape Check(MachineShape shape)
    {
        var full = new MachineShape
        {
            Vcpu = shape.Vcpu == 0 ? 1 : shape.Vcpu,
            MemoryMib = shape.MemoryMib == 0 ? DefaultMemory : shape.MemoryMib,
            DiskMib = shape.DiskMib == 0 ? MaxDisk : shape.DiskMib,
        };
        if (full.Vcpu is < 1 or > 8)
        {
            throw RpcErrors.InvalidArgument("shape.vcpu", "must be from 1 to 8");
        }

        if (full.MemoryMib is < 512 or > 8192 || full.MemoryMib % 2 != 0)
        {
            throw RpcErrors.InvalidArgument("shape.memory_mib", "must be an even number from 512 to 8192");
        }

        if (full.DiskMib is < 1024 or > MaxDisk)
        {
            throw RpcErrors.InvalidArgument("shape.disk_mib", $"must be from 1024 to {MaxDisk}");
        }

        return full;
    }
}
