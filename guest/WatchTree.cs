namespace Corral.Guest;

/// <summary>The watched directories: which watch is which path, and that new ones below are watched, too.</summary>
/// <remarks>
/// A new directory is watched first and looked through after: what was made in it meanwhile is found by one or by both, never by neither.
/// Symbolic links are not followed below the root.
/// </remarks>
internal sealed class WatchTree(Inotify inotify, FilePath root, bool recursive, ChangeQueue changes)
{
    private const int MaxDirectories = 8192;

    private static readonly EnumerationOptions All = new() { AttributesToSkip = 0, IgnoreInaccessible = true };

    // Paths below the root: "" for the root itself, "/sub".
    private readonly Dictionary<int, string> _paths = [];
    private readonly Dictionary<string, int> _watches = new(StringComparer.Ordinal);

    /// <summary>Watches everything that is there. The error number, or 0.</summary>
    public int Open() => AddAll("", tells: false);

    /// <summary>After changes were lost: what is there is watched, what is not is forgotten.</summary>
    public void Refresh()
    {
        foreach (var path in _watches.Keys.Where(path => FileStatus.TryOf(root.Real + path, follow: false) is not { IsDirectory: true }).ToList())
        {
            Forget(path);
        }

        Grow("", tells: false);
    }

    /// <summary>The path below the root of a watched directory; null for one that is watched no more.</summary>
    public string? PathOf(int watch) => _paths.GetValueOrDefault(watch);

    public string Shown(string path) => path.Length == 0 ? root.Shown : root.Shown.TrimEnd('/') + path;

    public void DirectoryCame(string path)
    {
        if (recursive)
        {
            Grow(path, tells: true);
        }
    }

    public void DirectoryWent(string path)
    {
        foreach (var gone in _watches.Keys.Where(known => known == path || known.StartsWith(path + "/", StringComparison.Ordinal)).ToList())
        {
            inotify.Remove(_watches[gone]);
            Forget(gone);
        }
    }

    /// <summary>The kernel removed the watch.</summary>
    public void Ended(int watch)
    {
        if (_paths.Remove(watch, out var path) && _watches.GetValueOrDefault(path) == watch)
        {
            _watches.Remove(path);
        }
    }

    private void Forget(string path)
    {
        if (_watches.Remove(path, out var watch))
        {
            _paths.Remove(watch);
        }
    }

    // A tree that outgrows the bound is watched as far as it goes; that there is more is told as a loss.
    private void Grow(string path, bool tells)
    {
        if (AddAll(path, tells) == Libc.Enospc)
        {
            changes.Lose();
        }
    }

    private int AddAll(string top, bool tells)
    {
        var left = new Stack<string>([top]);
        while (left.TryPop(out var path))
        {
            var error = Add(path);
            if (error == Libc.Enospc || (error != 0 && path == top))
            {
                return error;
            }

            if (error == 0 && (recursive || tells))
            {
                LookThrough(path, left, tells);
            }
        }

        return 0;
    }

    private int Add(string path)
    {
        if (_watches.Count >= MaxDirectories && !_watches.ContainsKey(path))
        {
            return Libc.Enospc;
        }

        var watch = inotify.Add(root.Real + path);
        if (watch < 0)
        {
            return -watch;
        }

        _paths[watch] = path;
        _watches[path] = watch;
        return 0;
    }

    private void LookThrough(string path, Stack<string> left, bool tells)
    {
        try
        {
            foreach (var entry in new DirectoryInfo(root.Real + path).EnumerateFileSystemInfos("*", All))
            {
                var below = $"{path}/{entry.Name}";
                if (tells && !FileWatch.IsHidden(entry.Name))
                {
                    changes.Add(Shown(below), ChangeQueue.Created);
                }

                if ((entry.Attributes & (FileAttributes.Directory | FileAttributes.ReparsePoint)) == FileAttributes.Directory)
                {
                    left.Push(below);
                }
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Deleted meanwhile, or not this user's to read.
        }
    }
}
