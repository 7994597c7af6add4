namespace Corral.NodeAgent.Storage;

/// <summary>Writable layers as plain directories: for hosts without btrfs. No quota.</summary>
internal sealed class DirectoryPool(string root) : IStoragePool
{
    public string Kind => "directory";

    public bool HasQuota => false;

    public long CapacityBytes => new DriveInfo(root).AvailableFreeSpace;

    public WritableLayer Create(string box, long bytes, int owner) => WritableLayer.Make(Directory.CreateDirectory(Path.Combine(root, box)).FullName, owner);

    public void Limit(string box, long bytes)
    {
    }

    public void Delete(string box)
    {
        var path = Path.Combine(root, box);
        if (Directory.Exists(path)) Directory.Delete(path, recursive: true);
    }

    public long? Used(string box) => null;

    public IReadOnlyList<string> List() => [.. Directory.EnumerateDirectories(root).Select(path => Path.GetFileName(path))];
}
