using Corral.NodeAgent.Host;
using Corral.NodeAgent.Host.Cgroups;
using Corral.NodeAgent.Storage;

namespace Corral.NodeAgent.Sandboxes;

/// <summary>
/// The mount namespace that all boxes' are copied from. It has the templates' layers, seen through the boxes' user namespace where there is
/// one, and lacks what makes copies slow (the networks' bind mounts) or crun refuse (hybrid cgroups). What a box mounts is in its own copy
/// and goes with it, so that the host's mount table never grows.
/// </summary>
internal sealed class BoxView : IDisposable
{
    private readonly NodePaths _paths;
    private readonly SemaphoreSlim _changing = new(1);
    private readonly Dictionary<(string Layer, int FirstId), string> _layers = [];
    private readonly Dictionary<int, Fd> _mappings = [];
    private readonly Fd _base;

    private BoxView(NodePaths paths, Fd view)
    {
        _paths = paths;
        _base = view;
    }

    /// <summary>Makes the namespace. The storage pool must be mounted by then.</summary>
    public static async Task<BoxView> CreateAsync(NodePaths paths)
    {
        WriteSkeleton(paths.Skeleton);
        return new BoxView(paths, await HostThread.RunAsync("view", () =>
        {
            Libc.Check(Libc.unshare(Libc.CloneFs), "unshare");
            Mounts.EnterPrivateNamespace();
            // crun takes a host with both kinds of cgroups for unusable, even when told to leave cgroups alone.
            if (File.ReadLines("/proc/thread-self/mountinfo").Any(line => line.Contains(" - cgroup ", StringComparison.Ordinal)))
                Mounts.Detach(CgroupDetector.Unified);
            Mounts.Detach(paths.Namespaces);
            Mounts.Mount("tmpfs", paths.View, "tmpfs", Libc.MsNoSuid | Libc.MsNoDev, "size=1m,mode=755");
            Directory.CreateDirectory(paths.Root);
            return Fd.Open("/proc/thread-self/ns/mnt", Libc.ORdOnly);
        }));
    }

    /// <summary>Makes layers mountable, once each, and answers what overlayfs wants to hear of them: uppermost first.</summary>
    public async Task<string> LowerAsync(IReadOnlyList<string> layers, int firstId, CancellationToken cancellationToken)
    {
        await _changing.WaitAsync(cancellationToken);
        try
        {
            string[] wanted = [.. layers, _paths.Skeleton];
            if (wanted.Any(layer => !_layers.ContainsKey((layer, firstId)))) await HostThread.RunAsync("layers", () => Attach(wanted, firstId));
            return string.Join(':', wanted.Reverse().Select(layer => _layers[(layer, firstId)]));
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>Gives the calling thread, which must be a box's own, its copy, with the box's root file system in it.</summary>
    public void Enter(string lower, WritableLayer layer)
    {
        Libc.Check(Libc.unshare(Libc.CloneFs), "unshare");
        Libc.Check(Libc.setns(_base.Value, Libc.CloneNewNs), "enter view");
        Libc.Check(Libc.unshare(Libc.CloneNewNs), "unshare mount namespace");
        // volatile: nothing of a box outlives the host's crash, so its syncs need not reach the disk.
        Mounts.Mount("overlay", _paths.Root, "overlay", Libc.MsNoDev | Libc.MsNoSuid,
            $"lowerdir={lower},upperdir={layer.Upper},workdir={layer.Work},volatile");
    }

    public void Dispose()
    {
        _base.Dispose();
        foreach (var mapping in _mappings.Values) mapping.Dispose();
        _changing.Dispose();
    }

    private void Attach(string[] wanted, int firstId)
    {
        Libc.Check(Libc.unshare(Libc.CloneFs), "unshare");
        Libc.Check(Libc.setns(_base.Value, Libc.CloneNewNs), "enter view");
        Fd? mapping = null;
        if (firstId > 0 && !_mappings.TryGetValue(firstId, out mapping)) _mappings[firstId] = mapping = UserNamespaces.Create(firstId);
        foreach (var layer in wanted)
        {
            if (_layers.ContainsKey((layer, firstId))) continue;
            // Short names: all of them together must fit into one page.
            var target = Path.Combine(_paths.View, $"l{_layers.Count}");
            Directory.CreateDirectory(target);
            Mounts.Attach(layer, target, mapping);
            _layers[(layer, firstId)] = target;
        }
    }

    private static void WriteSkeleton(string root)
    {
        const UnixFileMode Everyone = (UnixFileMode)0x1ED; // 0755
        foreach (var directory in new[] { "", "run", "run/corral", "proc", "sys", "dev", "etc", "workspace", "tmp" })
        {
            var path = Path.Combine(root, directory);
            Directory.CreateDirectory(path);
            File.SetUnixFileMode(path, directory == "tmp" ? (UnixFileMode)0x3FF : Everyone);
        }

        Libc.Check(Libc.chown(Path.Combine(root, "workspace"), 1000, 1000), "chown workspace");
        File.WriteAllText(Path.Combine(root, "run/corral/guest"), "");
        File.WriteAllText(Path.Combine(root, "etc/hostname"), "sandbox\n");
        File.WriteAllText(Path.Combine(root, "etc/hosts"), "127.0.0.1 localhost sandbox\n100.64.0.1 gate\n");
        File.WriteAllText(Path.Combine(root, "etc/resolv.conf"), "nameserver 100.64.0.1\noptions timeout:2 attempts:2\n");
    }
}
