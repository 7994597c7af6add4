using System.Security.Cryptography;
using System.Text;

namespace Corral.NodeAgent.Host;

/// <summary>
/// Where the node keeps what. Whatever is visible to the whole host (cgroups, /run) carries a hash of the home directory, so that several
/// nodes can live beside each other.
/// </summary>
internal sealed class NodePaths
{
    public NodePaths(string home, string runDirectory = "/run")
    {
        Home = Path.GetFullPath(home);
        Prefix = "corral-" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Home)))[..8];
        Run = Path.Combine(runDirectory, Prefix);
    }

    public string Home { get; }

    /// <summary>Name of everything host-wide that is this node's.</summary>
    public string Prefix { get; }

    public string Journal => Path.Combine(Home, "journal");

    /// <summary>OCI bundles, one directory a box.</summary>
    public string Boxes => Path.Combine(Home, "boxes");

    /// <summary>Bind mounts that keep network namespaces alive, also while no node-agent runs.</summary>
    public string Namespaces => Path.Combine(Home, "netns");

    public string PoolImage => Path.Combine(Home, "pool.img");

    public string Pool => Path.Combine(Home, "pool");

    /// <summary>The lowest layer but one of every box: mount points and the files of /etc that the node decides.</summary>
    public string Skeleton => Path.Combine(Home, "skeleton");

    public string Run { get; }

    /// <summary>The runtimes' own state. Short, because Unix sockets lie in it.</summary>
    public string RuntimeState => Path.Combine(Run, "state");

    /// <summary>Where boxes' file systems are put together, in mount namespaces of their own. Empty on the host.</summary>
    public string View => Path.Combine(Run, "view");

    public string Root => Path.Combine(View, "root");

    public string Bundle(string box) => Path.Combine(Boxes, box);

    public void Create()
    {
        Directory.CreateDirectory(Home);
        foreach (var directory in new[] { Journal, Boxes, Namespaces, Pool })
            Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        // The roots of user namespaces are nobody here, and must be able to walk through.
        foreach (var directory in new[] { Run, RuntimeState, View })
        {
            Directory.CreateDirectory(directory);
            File.SetUnixFileMode(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
                | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        }
    }
}
