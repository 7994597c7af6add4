using Corral.GuestLink;

namespace Corral.Guest;

/// <summary>Writes a file from a client's frames: beside its place first, then renamed. Whoever reads sees the old content or the new, never half.</summary>
internal static class FileWriter
{
    /// <summary>What the names of files that are being written begin with; no watch tells of them.</summary>
    public const string TemporaryPrefix = ".corral-write-";

    private const UnixFileMode NewFile = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    /// <summary>The file's size; -1 when the client went away before the end, and nothing happened.</summary>
    public static long Write(FilePath path, int? mode, int input)
    {
        var target = Target(path);
        var there = FileStatus.TryOf(target, follow: false);
        if (there is { } status)
        {
            CheckReplaceable(target, status);
        }

        var folder = Path.GetDirectoryName(target)!;
        if (FileStatus.TryOf(folder, follow: true) is { IsDirectory: false })
        {
            throw GuestFailure.Of(Libc.Enotdir);
        }

        FileOperations.MakeDirectory(folder);
        var temporary = Path.Combine(folder, TemporaryPrefix + Guid.NewGuid().ToString("N"));
        try
        {
            var size = Receive(temporary, (UnixFileMode?)(mode & 0xFFF) ?? (UnixFileMode?)there?.Mode ?? NewFile, input);
            if (size >= 0)
            {
                File.Move(temporary, target, overwrite: true);
            }

            return size;
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    /// <summary>
    /// Reads what a client still sends of a write that has failed: a connection that is closed over unread bytes is reset, and the reason is
    /// lost with it.
    /// </summary>
    public static void Discard(int input)
    {
        var reader = new FrameReader();
        while (Frames.Read(input, reader, out var kind, out _) && kind != Frame.End)
        {
        }
    }

    // A link stays, and what it points to is written, there or not.
    private static string Target(FilePath path)
    {
        for (var steps = 0; FileStatus.TryOf(path.Real, follow: false)?.Type == "symlink"; steps++)
        {
            if (steps == 40)
            {
                throw GuestFailure.Of(Libc.Eloop);
            }

            path = FilePath.Of(Path.Combine(Path.GetDirectoryName(path.Real)!, new FileInfo(path.Real).LinkTarget!));
        }

        return path.Real;
    }

    // A file that may not be written must not be replaced either.
    private static void CheckReplaceable(string target, FileStatus status)
    {
        if (!status.IsFile)
        {
            throw status.IsDirectory ? new GuestFailure("is_directory", "Is a directory") : new GuestFailure("other", "Not a regular file");
        }

        using var check = new FileStream(target, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
    }

    private static long Receive(string temporary, UnixFileMode mode, int input)
    {
        using var file = new FileStream(temporary, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = NewFile, BufferSize = 0 });
        var reader = new FrameReader();
        while (Frames.Read(input, reader, out var kind, out var payload))
        {
            switch (kind)
            {
                case Frame.Data:
                    file.Write(payload);
                    break;
                case Frame.End:
                    File.SetUnixFileMode(file.SafeFileHandle, mode);
                    return file.Length;
                default:
                    return -1;
            }
        }

        return -1;
    }
}
