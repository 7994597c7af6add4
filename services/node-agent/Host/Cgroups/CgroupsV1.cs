using System.Globalization;

namespace Corral.NodeAgent.Host.Cgroups;

/// <summary>One hierarchy a controller (some may share one), as on hosts with legacy or hybrid cgroups.</summary>
internal sealed class CgroupsV1(IReadOnlyDictionary<string, string> controllers, string parent) : ICgroups
{
    /// <summary>Used controllers; blkio, cpuset and devices are left alone: each attach costs, and a box cannot make devices anyway.</summary>
    public static readonly string[] Controllers = ["cpu", "cpuacct", "memory", "pids", "freezer"];

    private const int Period = 100_000;
    private readonly string[] _mounts = [.. controllers.Values.Distinct()];

    public string Version => "v1";

    public void Create(string box, CgroupLimits limits)
    {
        foreach (var mount in _mounts) Directory.CreateDirectory(Path.Combine(mount, parent, box));
        SetLimits(box, limits);
    }

    public void SetLimits(string box, CgroupLimits limits)
    {
        CgroupFiles.Write(In("cpu", box, "cpu.cfs_period_us"), $"{Period}");
        CgroupFiles.Write(In("cpu", box, "cpu.cfs_quota_us"), ((long)(limits.Cpus * Period)).ToString(CultureInfo.InvariantCulture));
        CgroupFiles.Write(In("memory", box, "memory.limit_in_bytes"), (limits.MemoryBytes ?? -1).ToString(CultureInfo.InvariantCulture));
        CgroupFiles.Write(In("pids", box, "pids.max"), limits.Processes?.ToString(CultureInfo.InvariantCulture) ?? "max");
    }

    public string? Enter(string box)
    {
        foreach (var mount in _mounts) CgroupFiles.Write(Path.Combine(mount, parent, box, "tasks"), "0");
        return null;
    }

    public void Freeze(string box) => CgroupFiles.Write(In("freezer", box, "freezer.state"), "FROZEN");

    public void Thaw(string box) => CgroupFiles.Write(In("freezer", box, "freezer.state"), "THAWED");

    public bool Kill(string box)
    {
        var any = false;
        // A process may be between two attaches: every hierarchy is asked.
        foreach (var pid in _mounts.SelectMany(mount => CgroupFiles.Processes(Path.Combine(mount, parent, box))).Distinct())
        {
            any = true;
            if (pid == Environment.ProcessId) BringHome(box);
            else _ = Libc.kill(pid, Libc.SigKill);
        }

        if (any && File.Exists(In("freezer", box, "freezer.state"))) Thaw(box);
        return any;
    }

    // A thread of our own that was born inside would keep the group for ever; that should not happen, and must not kill us.
    private void BringHome(string box)
    {
        foreach (var mount in _mounts)
        {
            foreach (var thread in CgroupFiles.Processes(Path.Combine(mount, parent, box), "tasks").Where(id => Directory.Exists($"/proc/self/task/{id}")))
                CgroupFiles.Write(Path.Combine(mount, "tasks"), thread.ToString(CultureInfo.InvariantCulture));
        }
    }

    public bool TryRemove(string box)
    {
        var gone = true;
        foreach (var mount in _mounts) gone &= CgroupFiles.TryRemove(Path.Combine(mount, parent, box));
        return gone;
    }

    public CgroupUsage Usage(string box) => new(
        TimeSpan.FromTicks(CgroupFiles.Number(In("cpuacct", box, "cpuacct.usage")) / 100),
        CgroupFiles.Number(In("memory", box, "memory.usage_in_bytes")),
        (int)CgroupFiles.Number(In("pids", box, "pids.current")));

    public long OutOfMemoryKills(string box) => CgroupFiles.Keyed(In("memory", box, "memory.oom_control"), "oom_kill");

    public IReadOnlyList<string> List() =>
    [
        .. _mounts.Select(mount => Path.Combine(mount, parent)).Where(Directory.Exists)
            .SelectMany(Directory.EnumerateDirectories).Select(path => Path.GetFileName(path)).Distinct(),
    ];

    public void RemoveParent()
    {
        // runc makes one in every hierarchy, ours or not.
        foreach (var mount in _mounts.SelectMany(mount => Directory.EnumerateDirectories(Path.GetDirectoryName(mount)!)).Distinct())
            CgroupFiles.TryRemove(Path.Combine(mount, parent));
    }

    private string In(string controller, string box, string file) => Path.Combine(controllers[controller], parent, box, file);
}
