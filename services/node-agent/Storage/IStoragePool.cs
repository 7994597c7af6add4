namespace Corral.NodeAgent.Storage;

/// <summary>Writable layers of boxes.</summary>
internal interface IStoragePool
{
    /// <summary>What the node says of it in its labels: <c>btrfs</c> or <c>directory</c>.</summary>
    string Kind { get; }

    bool HasQuota { get; }

    /// <summary>What it can hold at most.</summary>
    long CapacityBytes { get; }

    /// <summary>Makes the box's layer, owned by <paramref name="owner"/>, holding at most <paramref name="bytes"/>.</summary>
    WritableLayer Create(string box, long bytes, int owner);

    void Limit(string box, long bytes);

    /// <summary>Deletes the layer and all in it; one that is not there is fine.</summary>
    void Delete(string box);

    /// <summary>Bytes that the layer holds, or null where that cannot be told cheaply.</summary>
    long? Used(string box);

    IReadOnlyList<string> List();
}

/// <summary>The two directories that overlayfs wants of a writable layer.</summary>
internal readonly record struct WritableLayer(string Upper, string Work)
{
    public static WritableLayer Make(string directory, int owner)
    {
        var layer = new WritableLayer(Path.Combine(directory, "upper"), Path.Combine(directory, "work"));
        foreach (var path in new[] { layer.Upper, layer.Work })
        {
            Directory.CreateDirectory(path);
            File.SetUnixFileMode(path, (UnixFileMode)0x1ED); // 0755: the upper directory's mode is that of the box's /
            if (owner != 0) Host.Libc.Check(Host.Libc.chown(path, owner, owner), $"chown {path}");
        }

        return layer;
    }
}
