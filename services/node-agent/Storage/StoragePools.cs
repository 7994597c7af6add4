using Corral.NodeAgent.Host;

namespace Corral.NodeAgent.Storage;

/// <summary>Chooses the pool that this host can have.</summary>
internal static partial class StoragePools
{
    public static IStoragePool Open(NodePaths paths, NodeOptions options, ILogger log)
    {
        if (options.Storage == "directory") return Directory(paths);
        try
        {
            return BtrfsPool.Open(paths.Pool, paths.PoolImage, options.PoolBytes > 0 ? options.PoolBytes : DefaultSize(paths.Home));
        }
        catch (HostException problem) when (options.Storage == "auto")
        {
            LogNoBtrfs(log, problem.Message);
            return Directory(paths);
        }
    }

    private static DirectoryPool Directory(NodePaths paths) => new(System.IO.Directory.CreateDirectory(paths.Pool).FullName);

    // The file is sparse, but a promise that the disk cannot keep ends in I/O errors: most of what is free now, and no more.
    private static long DefaultSize(string home)
    {
        var free = new DriveInfo(home).AvailableFreeSpace;
        return Math.Clamp((long)(free * 0.8), 1L << 30, 1L << 40) & ~0xFFFFFL;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "There is no btrfs here, so writable layers are plain directories without quota: {Reason}")]
    private static partial void LogNoBtrfs(ILogger log, string reason);
}
