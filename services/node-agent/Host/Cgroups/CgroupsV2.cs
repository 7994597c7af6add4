using System.Globalization;

namespace Corral.NodeAgent.Host.Cgroups;

/// <summary>The unified hierarchy.</summary>
internal sealed class CgroupsV2 : ICgroups
{
    private const int Period = 100_000;
    private readonly string _root;

    public CgroupsV2(string mount, string parent)
    {
        _root = Path.Combine(mount, parent);
        Directory.CreateDirectory(_root);
        Delegate(mount);
        Delegate(_root);
    }

    public string Version => "v2";

    public void Create(string box, CgroupLimits limits)
    {
        Directory.CreateDirectory(Path.Combine(_root, box));
        SetLimits(box, limits);
    }

    public void SetLimits(string box, CgroupLimits limits)
    {
        CgroupFiles.Write(In(box, "cpu.max"), string.Create(CultureInfo.InvariantCulture, $"{(long)(limits.Cpus * Period)} {Period}"));
        CgroupFiles.Write(In(box, "memory.max"), limits.MemoryBytes?.ToString(CultureInfo.InvariantCulture) ?? "max");
        if (File.Exists(In(box, "memory.swap.max"))) CgroupFiles.Write(In(box, "memory.swap.max"), "0");
        CgroupFiles.Write(In(box, "pids.max"), limits.Processes?.ToString(CultureInfo.InvariantCulture) ?? "max");
    }

    public string? Enter(string box) => In(box, "cgroup.procs");

    public void Freeze(string box) => CgroupFiles.Write(In(box, "cgroup.freeze"), "1");

    public void Thaw(string box) => CgroupFiles.Write(In(box, "cgroup.freeze"), "0");

    public bool Kill(string box)
    {
        var pids = CgroupFiles.Processes(Path.Combine(_root, box));
        if (pids.Count == 0) return false;
        if (File.Exists(In(box, "cgroup.kill")))
        {
            CgroupFiles.Write(In(box, "cgroup.kill"), "1");
        }
        else
        {
            foreach (var pid in pids) _ = Libc.kill(pid, Libc.SigKill);
        }

        return true;
    }

    public bool TryRemove(string box) => CgroupFiles.TryRemove(Path.Combine(_root, box));

    public CgroupUsage Usage(string box) => new(
        TimeSpan.FromMicroseconds(CgroupFiles.Keyed(In(box, "cpu.stat"), "usage_usec")),
        CgroupFiles.Number(In(box, "memory.current")),
        (int)CgroupFiles.Number(In(box, "pids.current")));

    public long OutOfMemoryKills(string box) => CgroupFiles.Keyed(In(box, "memory.events"), "oom_kill");

    public IReadOnlyList<string> List() =>
        Directory.Exists(_root) ? [.. Directory.EnumerateDirectories(_root).Select(path => Path.GetFileName(path))] : [];

    public void RemoveParent() => CgroupFiles.TryRemove(_root);

    private string In(string box, string file) => Path.Combine(_root, box, file);

    private static void Delegate(string directory)
    {
        var control = Path.Combine(directory, "cgroup.subtree_control");
        try
        {
            CgroupFiles.Write(control, "+cpu +memory +pids");
        }
        catch (HostException problem) when (problem.Error == Libc.EBusy)
        {
            // In a container the root of our view is an ordinary group, which may not hold processes and hand out controllers both.
            var leaf = Path.Combine(directory, "corral-init");
            Directory.CreateDirectory(leaf);
            foreach (var pid in CgroupFiles.Processes(directory))
            {
                try
                {
                    CgroupFiles.Write(Path.Combine(leaf, "cgroup.procs"), pid.ToString(CultureInfo.InvariantCulture));
                }
                catch (HostException gone) when (gone.Error is Libc.ESrch or Libc.EInval)
                {
                }
            }

            CgroupFiles.Write(control, "+cpu +memory +pids");
        }
    }
}
