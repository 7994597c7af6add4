namespace Corral.Guest;

/// <summary>Copies files, links and directories, with their permission bits.</summary>
internal static class FileCopy
{
    public static void Run(string from, string to, bool recursive, bool overwrite)
    {
        var source = FileStatus.Of(from, follow: false);
        if (source.IsDirectory && !recursive)
        {
            throw new GuestFailure("is_directory", "Is a directory, and is copied with recursive only");
        }

        if (to == from || to.StartsWith(from.TrimEnd('/') + "/", StringComparison.Ordinal))
        {
            throw new GuestFailure("invalid_path", "Nothing can be copied onto or into itself");
        }

        if (FileStatus.TryOf(to, follow: false) is not null && !overwrite)
        {
            throw GuestFailure.Of(Libc.Eexist);
        }

        Copy(source, from, to);
    }

    private static void Copy(FileStatus source, string from, string to)
    {
        var target = FileStatus.TryOf(to, follow: false);
        switch (source.Type)
        {
            case "directory":
                CopyDirectory(source, from, to, target);
                break;
            case "symlink" or "file":
                if (target is { IsDirectory: true })
                {
                    throw GuestFailure.Of(Libc.Eexist);
                }

                // Not written through: what is there may be a link.
                File.Delete(to);
                CopyOne(source, from, to);
                break;
            default:
                throw new GuestFailure("other", "Not a file, a link or a directory");
        }
    }

    private static void CopyOne(FileStatus source, string from, string to)
    {
        if (source.Type == "symlink")
        {
            File.CreateSymbolicLink(to, new FileInfo(from).LinkTarget ?? throw GuestFailure.Of(Libc.Enoent));
        }
        else
        {
            File.Copy(from, to);
        }
    }

    private static void CopyDirectory(FileStatus source, string from, string to, FileStatus? target)
    {
        if (target is null)
        {
            FileOperations.MakeOneDirectory(to, null);
        }
        else if (target is not { IsDirectory: true })
        {
            throw GuestFailure.Of(Libc.Eexist);
        }

        foreach (var path in Directory.GetFileSystemEntries(from))
        {
            if (FileStatus.TryOf(path, follow: false) is { } entry)
            {
                Copy(entry, path, Path.Combine(to, Path.GetFileName(path)));
            }
        }

        // Last, because it may forbid to write.
        File.SetUnixFileMode(to, (UnixFileMode)source.Mode);
    }
}
