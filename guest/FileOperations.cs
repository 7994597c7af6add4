using Corral.GuestLink;

namespace Corral.Guest;

/// <summary>File operations, in a process that is the sandbox's user: input and output are the client's connection.</summary>
internal static unsafe class FileOperations
{
    private const int In = 0;
    private const int Out = 1;
    private const int MaxEntries = 10_000;
    private const uint NoReplace = 1;
    private const UnixFileMode NewDirectory =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    private static readonly EnumerationOptions Everything = new() { AttributesToSkip = 0, IgnoreInaccessible = false };

    public static int Run(GuestRequest request)
    {
        try
        {
            Do(request, FilePath.Of(request.Path));
        }
        catch (Exception exception)
        {
            var failure = Explain(exception);
            Frames.Fail(Out, failure.Code, failure.Message);
            if (request.Op == "write")
            {
                FileWriter.Discard(In);
            }
        }

        return 0;
    }

    /// <summary>Makes a directory and those above it.</summary>
    public static void MakeDirectory(string path)
    {
        if (FileStatus.TryOf(path, follow: true) is not { } there)
        {
            Directory.CreateDirectory(path, NewDirectory);
        }
        else if (!there.IsDirectory)
        {
            throw new GuestFailure("exists", "A file of that name is there");
        }
    }

    /// <summary>Makes a directory that is not there yet, in one that is.</summary>
    public static void MakeOneDirectory(string path, UnixFileMode? mode)
    {
        fixed (byte* start = FilePath.Bytes(path))
        {
            if (Libc.mkdir(start, (uint)NewDirectory) != 0)
            {
                throw GuestFailure.Of(Libc.LastError);
            }
        }

        File.SetUnixFileMode(path, mode ?? NewDirectory);
    }

    public static GuestEntry Describe(FilePath path, FileStatus status) => new(
        path.Name, path.Shown, status.Type, status.Size, status.Mode, status.ModifiedMs, status.Type == "symlink" ? new FileInfo(path.Real).LinkTarget : null,
        Owners.User(status.User), Owners.Group(status.Group));

    private static void Do(GuestRequest request, FilePath path)
    {
        switch (request.Op)
        {
            case "read":
                Read(path, request.Offset, request.Length);
                break;
            case "write":
                if (FileWriter.Write(path, request.Mode, In) is >= 0 and var size)
                {
                    Answer(new GuestResult { Size = size });
                }

                break;
            case "list":
                List(path);
                break;
            case "stat":
                Answer(new GuestResult { Entries = [Describe(path)] });
                break;
            case "mkdir":
                Make(path.Real, request.Flag, (UnixFileMode?)(request.Mode & 0xFFF));
                break;
            case "move":
                Move(path.Real, FilePath.Of(request.Target).Real, request.Flag);
                break;
            case "delete":
                Delete(path.Real, request.Flag);
                break;
            case "find":
                TreeWalk.Run(request, path, Out);
                break;
            case "copy":
                FileCopy.Run(path.Real, FilePath.Of(request.Target).Real, request.Flag, request.Overwrite);
                Answer(new GuestResult());
                break;
            case "permit":
                Permit(path.Followed().Real, request);
                break;
            case "watch":
                FileWatch.Run(path, request.Flag, Out);
                break;
        }
    }

    private static GuestFailure Explain(Exception exception) => exception switch
    {
        GuestFailure failure => failure,
        FileNotFoundException or DirectoryNotFoundException => GuestFailure.Of(Libc.Enoent),
        UnauthorizedAccessException => GuestFailure.Of(Libc.Eacces),
        PathTooLongException => GuestFailure.Of(Libc.Enametoolong),
        _ => GuestFailure.Of(exception.HResult),
    };

    private static void Read(FilePath path, long offset, long length)
    {
        // A pipe would wait for its other end, a device may never end.
        var status = FileStatus.Of(path.Real, follow: true);
        if (!status.IsFile)
        {
            throw status.IsDirectory ? GuestFailure.Of(21) : new GuestFailure("other", "Not a regular file");
        }

        using var file = new FileStream(path.Real, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 0);
        Answer(new GuestResult { Size = status.Size });
        if (file.CanSeek && offset > 0)
        {
            file.Position = offset;
        }

        var buffer = new byte[Frame.MaxPayload];
        var left = length > 0 ? length : long.MaxValue;
        while (left > 0 && file.Read(buffer, 0, (int)Math.Min(left, buffer.Length)) is > 0 and var count)
        {
            left -= count;
            if (!Frames.Write(Out, Frame.Data, buffer.AsSpan(0, count)))
            {
                return;
            }
        }

        Frames.Write(Out, Frame.End, []);
    }

    private static void List(FilePath path)
    {
        var directory = path.Followed();
        if (!FileStatus.Of(directory.Real, follow: false).IsDirectory)
        {
            throw GuestFailure.Of(Libc.Enotdir);
        }

        var names = Directory.EnumerateFileSystemEntries(directory.Real).Take(MaxEntries + 1).Select(Path.GetFileName).ToList();
        var truncated = names.Count > MaxEntries;
        var sender = new EntrySender(Out);
        foreach (var name in names.Take(MaxEntries).Order(StringComparer.Ordinal))
        {
            // Deleted meanwhile, if it is not there.
            if (FileStatus.TryOf(directory.Entry(name!).Real, follow: false) is { } status)
            {
                sender.Add(Describe(directory.Entry(name!), status));
            }
        }

        sender.Finish(truncated);
    }

    private static GuestEntry Describe(FilePath path) => Describe(path, FileStatus.Of(path.Real, follow: false));

    private static void Make(string path, bool exclusive, UnixFileMode? mode)
    {
        if (exclusive || (mode is not null && FileStatus.TryOf(path, follow: true) is null))
        {
            if (!exclusive)
            {
                MakeDirectory(Path.GetDirectoryName(path)!);
            }

            MakeOneDirectory(path, mode);
        }
        else
        {
            MakeDirectory(path);
        }

        Answer(new GuestResult());
    }

    // A change of owner takes some bits away: those that were asked for come after it.
    private static void Permit(string path, GuestRequest request)
    {
        if (request.Owner is not null || request.Group is not null)
        {
            Owners.Change(path, request.Owner, request.Group);
        }

        if (request.Mode is { } mode)
        {
            File.SetUnixFileMode(path, (UnixFileMode)(mode & 0xFFF));
        }

        Answer(new GuestResult());
    }

    private static void Move(string from, string to, bool overwrite)
    {
        var source = FileStatus.Of(from, follow: false);
        var error = Rename(from, to, overwrite ? 0 : NoReplace);
        if (error is Libc.Einval or Libc.Enosys && !overwrite)
        {
            // A file system without the flag: looked at first, and the moment between is its price.
            error = FileStatus.TryOf(to, follow: false) is null ? Rename(from, to, 0) : Libc.Eexist;
        }

        // A device may be read without end, and a pipe waits for its writer.
        if (error == Libc.Exdev && source is { Type: "file" or "symlink" })
        {
            File.Move(from, to, overwrite);
            error = 0;
        }

        if (error != 0)
        {
            throw GuestFailure.Of(error);
        }

        Answer(new GuestResult());
    }

    private static int Rename(string from, string to, uint flags)
    {
        fixed (byte* source = FilePath.Bytes(from), target = FilePath.Bytes(to))
        {
            return Libc.renameat2(Libc.AtFdcwd, source, Libc.AtFdcwd, target, flags) == 0 ? 0 : Libc.LastError;
        }
    }

    private static void Delete(string path, bool recursive)
    {
        if (!FileStatus.Of(path, follow: false).IsDirectory)
        {
            File.Delete(path);
        }
        else if (recursive)
        {
            DeleteTree(path);
        }
        else
        {
            RemoveDirectory(path);
        }

        Answer(new GuestResult());
    }

    private static void DeleteTree(string directory)
    {
        foreach (var entry in new DirectoryInfo(directory).EnumerateFileSystemInfos("*", Everything))
        {
            if ((entry.Attributes & (FileAttributes.Directory | FileAttributes.ReparsePoint)) == FileAttributes.Directory)
            {
                DeleteTree(entry.FullName);
            }
            else
            {
                File.Delete(entry.FullName);
            }
        }

        RemoveDirectory(directory);
    }

    // The platform's own does not tell why it could not.
    private static void RemoveDirectory(string path)
    {
        fixed (byte* start = FilePath.Bytes(path))
        {
            if (Libc.rmdir(start) != 0)
            {
                throw GuestFailure.Of(Libc.LastError);
            }
        }
    }

    private static void Answer(GuestResult result) => Frames.Write(Out, Frame.Result, result, GuestJson.Default.GuestResult);
}
