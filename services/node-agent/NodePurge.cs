using Corral.NodeAgent.Host;
using Corral.NodeAgent.Host.Cgroups;
using Corral.NodeAgent.Sandboxes;

namespace Corral.NodeAgent;

/// <summary>Takes a whole node off its host: every box, the pool and all in it, every mount. For <c>purge</c> and for tests.</summary>
internal static class NodePurge
{
    /// <summary>Removes the boxes by way of an open node, then, when that is closed, what it stood on.</summary>
    public static async Task RunAsync(ServiceProvider node)
    {
        var paths = node.GetRequiredService<NodePaths>();
        var cgroups = node.GetRequiredService<ICgroups>();
        _ = node.GetRequiredService<BoxView>();
        await node.GetRequiredService<Recovery>().RunAsync(adopt: false, CancellationToken.None);
        await node.DisposeAsync();
        foreach (var point in Mounts.Below(paths.Home)) Mounts.Detach(point);
        cgroups.RemoveParent();
        foreach (var directory in new[] { paths.Run, paths.Home })
        {
            if (Directory.Exists(directory)) Directory.Delete(directory, recursive: true);
        }
    }
}
