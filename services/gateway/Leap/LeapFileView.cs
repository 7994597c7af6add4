using Corral.Api.V1;
using Corral.Leap.V1;
using FileInfo = Corral.Leap.V1.FileInfo;

namespace Corral.Gateway.Leap;

/// <summary>Files as the leap dialect tells them.</summary>
internal static class LeapFileView
{
    public static FileInfo Of(FileEntry entry)
    {
        var info = new FileInfo
        {
            Name = entry.Name,
            Path = entry.Path,
            IsDir = entry.Type == FileType.Directory,
            Size = entry.Size,
            Mode = entry.Mode.TrimStart('0').PadLeft(3, '0'),
            Mtime = entry.ModifiedAt.Seconds,
            Owner = entry.Owner,
            Group = entry.Group,
            IsSymlink = entry.Type == FileType.Symlink,
        };
        if (entry.HasTarget)
        {
            info.LinkTarget = entry.Target;
        }

        return info;
    }

    /// <summary>Entries in the order of their paths, each below the directory that it lies in.</summary>
    public static IEnumerable<TreeEntry> TreeOf(IEnumerable<FileEntry> entries)
    {
        var roots = new List<TreeEntry>();
        var directories = new Dictionary<string, TreeEntry>(StringComparer.Ordinal);
        foreach (var entry in entries)
        {
            var node = new TreeEntry { Name = entry.Name, Type = entry.Type == FileType.Directory ? "directory" : "file" };
            var parent = directories.GetValueOrDefault(entry.Path[..Math.Max(0, entry.Path.LastIndexOf('/'))]);
            (parent?.Children ?? (IList<TreeEntry>)roots).Add(node);
            if (entry.Type == FileType.Directory)
            {
                directories[entry.Path] = node;
            }
        }

        return roots;
    }
}
