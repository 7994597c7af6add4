namespace Corral.NodeAgent.Host.Cgroups;

/// <summary>Finds out from the mount table which kind of cgroups this host has.</summary>
internal static class CgroupDetector
{
    public const string Unified = "/sys/fs/cgroup/unified";

    public static ICgroups Detect(string parent) => Detect(File.ReadLines("/proc/self/mountinfo"), parent);

    internal static ICgroups Detect(IEnumerable<string> mountInfo, string parent)
    {
        var controllers = new Dictionary<string, string>();
        string? unified = null;
        foreach (var line in mountInfo)
        {
            var sides = line.Split(" - ");
            if (sides.Length != 2) continue;
            var point = sides[0].Split(' ')[4];
            var kind = sides[1].Split(' ');
            if (kind[0] == "cgroup2") unified ??= point;
            if (kind[0] != "cgroup") continue;
            foreach (var option in kind[^1].Split(','))
            {
                if (CgroupsV1.Controllers.Contains(option)) controllers.TryAdd(option, point);
            }
        }

        if (CgroupsV1.Controllers.All(controllers.ContainsKey)) return new CgroupsV1(controllers, parent);
        return unified is not null
            ? new CgroupsV2(unified, parent)
            : throw new HostException($"No usable cgroups: of {string.Join(", ", CgroupsV1.Controllers)} this host mounts {string.Join(", ", controllers.Keys)}, and no cgroup2.");
    }

    /// <summary>
    /// Moving a process between groups waits for an RCU grace period (0.7 to 13 ms) unless the kernel is told to favour moves. Kernels
    /// before 6.0 do not know the option; nothing but speed depends on it.
    /// </summary>
    public static bool TryFavourMoves(IEnumerable<string> mountInfo)
    {
        foreach (var line in mountInfo)
        {
            var sides = line.Split(" - ");
            if (sides.Length == 2 && sides[1].StartsWith("cgroup2 ", StringComparison.Ordinal))
                return Libc.mount("cgroup2", sides[0].Split(' ')[4], null, Libc.MsRemount, "favordynmods") == 0;
        }

        return false;
    }
}
