using Corral.NodeAgent.Host;
using Corral.NodeAgent.Host.Cgroups;
using Corral.NodeAgent.Runtimes;
using Corral.NodeAgent.Storage;

namespace Corral.NodeAgent.Tests;

/// <summary>Everything on the host that belongs to boxes of a node, as one text; empty when there is nothing.</summary>
internal static class Footprint
{
    public static string Of(TestNode node)
    {
        var paths = node.Get<NodePaths>();
        var processes = Directory.EnumerateDirectories("/proc").Where(path => int.TryParse(Path.GetFileName(path), out _))
            .Where(path => Read(path + "/cgroup").Contains(paths.Prefix, StringComparison.Ordinal))
            .Select(path => $"process {Path.GetFileName(path)} {Read(path + "/cmdline").Replace('\0', ' ')}");
        var all = processes
            .Concat(node.Get<ICgroups>().List().Select(name => "cgroup " + name))
            .Concat(node.Get<IStoragePool>().List().Select(name => "layer " + name))
            .Concat(Directory.EnumerateFileSystemEntries(paths.Boxes).Select(path => "bundle " + path))
            .Concat(Directory.EnumerateFileSystemEntries(paths.Journal).Select(path => "journal " + path))
            .Concat(node.Get<RuntimeCatalog>().All.SelectMany(runtime => runtime.List()).Select(name => "runtime state " + name));
        return string.Join('\n', all);
    }

    /// <summary>Mounts of the node that there are beyond its pool and its prepared networks.</summary>
    public static int Mounts(TestNode node) => Corral.NodeAgent.Host.Mounts.Below(node.Get<NodePaths>().Home).Count;

    private static string Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
