namespace Corral.NodeAgent.Host;

/// <summary>Mounts, always in the mount namespace of the calling thread.</summary>
internal static class Mounts
{
    private const ulong AttrReadOnly = 1, AttrIdMap = 0x100000;

    public static void Mount(string? source, string target, string? type, uint flags, string? data = null) =>
        Libc.Check(Libc.mount(source, target, type, flags, data), $"mount {type ?? "bind"} on {target}");

    public static void Bind(string source, string target) => Mount(source, target, null, Libc.MsBind);

    /// <summary>Takes whatever is mounted at <paramref name="target"/> away; nothing mounted there is fine.</summary>
    public static void Detach(string target)
    {
        while (Libc.umount2(target, Libc.MntDetach) == 0)
        {
        }
    }

    /// <summary>Gives the calling thread its own copy of the mount table, cut off from the host's.</summary>
    public static void EnterPrivateNamespace()
    {
        Libc.Check(Libc.unshare(Libc.CloneNewNs), "unshare mount namespace");
        Mount(null, "/", null, Libc.MsRec | Libc.MsPrivate);
    }

    /// <summary>
    /// Attaches a read-only copy of <paramref name="source"/> at <paramref name="target"/>, whose owners are seen through a user namespace,
    /// when one is given.
    /// </summary>
    public static void Attach(string source, string target, Fd? userNamespace)
    {
        using var tree = new Fd(Libc.Check(Libc.OpenTree(Libc.AtFdCwd, source, 1u /* OPEN_TREE_CLONE */ | Libc.OCloExec), $"open_tree {source}"));
        var attributes = new Libc.MountAttr { Set = AttrReadOnly };
        if (userNamespace is not null)
        {
            attributes.Set |= AttrIdMap;
            attributes.UserNamespace = (ulong)userNamespace.Value;
        }

        Libc.Check(Libc.MountSetAttr(tree.Value, Libc.AtEmptyPath, attributes), $"mount_setattr {source}");
        Libc.Check(Libc.MoveMount(tree.Value, target), $"move_mount {target}");
    }

    /// <summary>The mount points of this process at or below <paramref name="directory"/>, deepest first.</summary>
    public static IReadOnlyList<string> Below(string directory) =>
    [
        .. File.ReadLines("/proc/thread-self/mountinfo")
            .Select(line => Unescape(line.Split(' ')[4]))
            .Where(point => point == directory || point.StartsWith(directory + "/", StringComparison.Ordinal))
            .Distinct().OrderByDescending(point => point.Length),
    ];

    private static string Unescape(string text) =>
        text.Contains('\\', StringComparison.Ordinal)
            ? text.Replace("\\040", " ", StringComparison.Ordinal).Replace("\\011", "\t", StringComparison.Ordinal)
                .Replace("\\012", "\n", StringComparison.Ordinal).Replace("\\134", "\\", StringComparison.Ordinal)
            : text;
}
