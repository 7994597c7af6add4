using Corral.NodeAgent.Host;

namespace Corral.NodeAgent.Storage;

/// <summary>
/// Writable layers as btrfs subvolumes with a quota each, on a file system in a sparse file (or wherever the operator mounted one): what a
/// box writes is counted exactly, and a snapshot costs milliseconds.
/// </summary>
internal sealed class BtrfsPool : IStoragePool
{
    private readonly string _mount;

    private BtrfsPool(string mount) => _mount = mount;

    public string Kind => "btrfs";

    public bool HasQuota => true;

    public long CapacityBytes => new DriveInfo(_mount).TotalSize;

    /// <summary>Opens the pool, making it first if there is none.</summary>
    public static BtrfsPool Open(string mount, string image, long size)
    {
        if (Btrfs.IsBtrfs(mount))
        {
            Btrfs.EnableQuota(mount);
            return new BtrfsPool(mount);
        }

        if (!File.Exists(image)) Make(image, size);
        var device = HostProcess.Require(HostProcess.Locate("losetup"), ["--find", "--show", image]).Trim();
        try
        {
            // An unclean end is normal for a host; losing the last seconds of scratch files is fine, so syncs need not reach the disk's cache.
            Mounts.Mount(device, mount, "btrfs", Libc.MsNoAtime | Libc.MsNoDev | Libc.MsNoSuid, "discard=async,nobarrier,max_inline=0");
            Mounts.Mount(null, mount, null, Libc.MsPrivate);
        }
        finally
        {
            HostProcess.Run(HostProcess.Locate("losetup"), ["--detach", device]); // takes effect when the mount goes
        }

        Btrfs.EnableQuota(mount);
        return new BtrfsPool(mount);
    }

    public WritableLayer Create(string box, long bytes, int owner)
    {
        var path = Path.Combine(_mount, box);
        Btrfs.CreateSubvolume(path);
        Btrfs.Limit(path, (ulong)bytes);
        return WritableLayer.Make(path, owner);
    }

    public void Limit(string box, long bytes) => Btrfs.Limit(Path.Combine(_mount, box), (ulong)bytes);

    public void Delete(string box)
    {
        var path = Path.Combine(_mount, box);
        if (!Directory.Exists(path)) return;
        var id = Btrfs.SubvolumeId(path);
        Btrfs.DeleteSubvolume(path);
        Btrfs.TryRemoveQuotaGroup(_mount, id);
    }

    public long? Used(string box)
    {
        try
        {
            return Btrfs.Used(_mount, Btrfs.SubvolumeId(Path.Combine(_mount, box)));
        }
        catch (HostException)
        {
            return null;
        }
    }

    public IReadOnlyList<string> List() => [.. Directory.EnumerateDirectories(_mount).Select(path => Path.GetFileName(path))];

    private static void Make(string image, long size)
    {
        var fresh = image + ".new";
        using (var file = new FileStream(fresh, FileMode.Create, FileAccess.Write)) file.SetLength(size);
        HostProcess.Require(HostProcess.Locate("mkfs.btrfs"), ["--quiet", "--metadata", "single", fresh]);
        File.Move(fresh, image);
    }
}
