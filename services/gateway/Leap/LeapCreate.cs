using Corral.Api.V1;
using Corral.Leap.V1;

namespace Corral.Gateway.Leap;

/// <summary>What the leap dialect asks of a new sandbox, in native terms.</summary>
internal static class LeapCreate
{
    private const long DefaultSeconds = 300;
    private const long MaxSeconds = 28_800;
    private const int SecondsAMinute = 60;
    private const string SystemPrefix = "system/";

    public static CreateRequest ToNative(CreateSandboxRequest request)
    {
        var problems = new Problems();
        var template = TemplateOf(request.TemplateName, problems);
        var shape = ShapeOf(request, problems);
        var seconds = problems.Either(
            ("timeout", request.HasTimeout, request.Timeout), ("timeout_min", request.HasTimeoutMin, request.TimeoutMin), SecondsAMinute, DefaultSeconds);
        if (request.HasTimeoutMin)
        {
            problems.Range("timeout_min", request.TimeoutMin, 1, MaxSeconds / SecondsAMinute);
        }
        else
        {
            problems.Range("timeout", seconds, 1, MaxSeconds);
        }

        if (request.AutoPause)
        {
            problems.Add("auto_pause", "pausing is not offered yet: leave it out, or say false");
        }

        problems.Check();
        var create = new CreateRequest { Runtime = template, Shape = shape, MaxDurationMs = seconds * 1000, NetworkPolicy = request.NetworkPolicy };
        create.Env.Add(request.EnvVars);
        return create;
    }

    private static string TemplateOf(string name, Problems problems)
    {
        var bare = name.StartsWith(SystemPrefix, StringComparison.OrdinalIgnoreCase) ? name[SystemPrefix.Length..] : name;
        switch (bare)
        {
            case "base" or "python" or "bun":
                return bare;
            case "debian:bookworm" when bare != name:
                return "base";
            case "":
                problems.Require("template_name", bare);
                return "";
            default:
                problems.Add("template_name", "must be one of: base, python, bun, system/debian:bookworm");
                return "";
        }
    }

    private static MachineShape ShapeOf(CreateSandboxRequest request, Problems problems)
    {
        var vcpu = request.HasVcpu ? request.Vcpu : 1;
        problems.Range("vcpu", vcpu, 1, 8);
        var memory = problems.Either(("memory", request.HasMemory, request.Memory), ("memory_mib", request.HasMemoryMib, request.MemoryMib), 1, 1024);
        var memoryName = request.HasMemoryMib ? "memory_mib" : "memory";
        problems.Range(memoryName, memory, 512, 8192);
        if (memory % 2 != 0)
        {
            problems.Add(memoryName, "must be an even number");
        }

        var disk = problems.Either(("disk", request.HasDisk, request.Disk), ("disk_mib", request.HasDiskMib, request.DiskMib), 1, 10_240);
        problems.Range(request.HasDiskMib ? "disk_mib" : "disk", disk, 1024, 10_240);
        return new MachineShape { Vcpu = vcpu, MemoryMib = memory, DiskMib = disk };
    }
}
