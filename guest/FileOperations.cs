using System.Text;
using Corral.GuestLink;

namespace Corral.Guest;

/// <summary>File operations, in a process that is the sandbox's user: input and output are the client's connection.</summary>
internal static class FileOperations
{
    private const int In = 0;
    private const int Out = 1;
    private const int MaxPath = 4096;
    private const int MaxEntries = 10_000;
    private const UnixFileMode NewFile = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private const UnixFileMode NewDirectory = NewFile | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    public static int Run(GuestRequest request)
    {
        try
        {
            var path = Resolve(request.Path ?? "");
            switch (request.Op)
            {
                case "read":
                    Read(path, request.Offset, request.Length);
                    break;
                case "write":
                    Write(path, request.Mode);
                    break;
                case "list":
                    List(path);
                    break;
                case "stat":
                    Answer(new GuestResult { Entries = [Describe(path)] });
                    break;
                case "mkdir":
                    MakeDirectory(path);
                    Answer(new GuestResult());
                    break;
                case "move":
                    Move(path, Resolve(request.Target ?? ""), request.Flag);
                    break;
                case "delete":
                    Delete(path, request.Flag);
                    break;
            }
        }
        catch (GuestFailure failure)
        {
            Frames.Fail(Out, failure.Code, failure.Message);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            Frames.Fail(Out, "not_found", "No such file or directory");
        }
        catch (UnauthorizedAccessException)
        {
            Frames.Fail(Out, Directory.Exists(Resolve(request.Path ?? "")) && request.Op is "read" or "write" ? "is_directory" : "permission_denied", "Permission denied");
        }
        catch (IOException exception)
        {
            Frames.Fail(Out, exception.HResult switch { 28 or 122 => "no_space", 20 => "not_directory", 39 => "not_empty", 17 => "exists", 13 or 1 => "permission_denied", _ => "other" }, exception.HResult is 28 or 122 ? "No space left" : "The operation failed");
        }

        return 0;
    }

    private static string Resolve(string path)
    {
        if (path.Length == 0)
        {
            throw new GuestFailure("invalid_path", "The path is empty");
        }

        if (path.Contains('\0', StringComparison.Ordinal))
        {
            throw new GuestFailure("invalid_path", "The path contains NUL");
        }

        // Joined, not normalised: what ".." means is the kernel's to say.
        var full = path[0] == '/' ? path : "/workspace/" + path;
        return Encoding.UTF8.GetByteCount(full) > MaxPath ? throw new GuestFailure("invalid_path", $"The path is longer than {MaxPath} bytes") : full;
    }

    private static void Read(string path, long offset, long length)
    {
        if (Directory.Exists(path))
        {
            throw new GuestFailure("is_directory", "Is a directory");
        }

        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 0);
        Answer(new GuestResult { Size = file.CanSeek ? file.Length : 0 });
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

    // Beside its place first, then renamed: whoever reads sees the old content or the new, never half.
    private static void Write(string path, int? mode)
    {
        if (Directory.Exists(path))
        {
            throw new GuestFailure("is_directory", "Is a directory");
        }

        var target = File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;
        var folder = Path.GetDirectoryName(target)!;
        MakeDirectory(folder);
        var kept = File.Exists(target) ? File.GetUnixFileMode(target) : NewFile;
        if (File.Exists(target))
        {
            // A file that may not be written must not be replaced either.
            using var check = new FileStream(target, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        }

        var temporary = Path.Combine(folder, $".corral-{Guid.NewGuid():N}");
        long size = 0;
        try
        {
            using (var file = new FileStream(temporary, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = NewFile, BufferSize = 0 }))
            {
                while (Frames.Read(In, out var kind, out var payload))
                {
                    if (kind == Frame.End)
                    {
                        file.Flush();
                        File.SetUnixFileMode(file.SafeFileHandle, mode is { } bits ? (UnixFileMode)(bits & 0xfff) : kept);
                        size = file.Length;
                        break;
                    }

                    file.Write(payload);
                    size = -1;
                }
            }

            if (size < 0)
            {
                // The client went away before the end: nothing happened.
                return;
            }

            File.Move(temporary, target, overwrite: true);
            Answer(new GuestResult { Size = size });
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    private static void List(string path)
    {
        if (!Directory.Exists(path))
        {
            Describe(path);
            throw new GuestFailure("not_directory", "Not a directory");
        }

        var names = Directory.EnumerateFileSystemEntries(path).Take(MaxEntries + 1).ToList();
        var entries = names.Take(MaxEntries).Select(Entry).OfType<GuestEntry>().OrderBy(e => e.Name, StringComparer.Ordinal).ToList();
        // Sent in portions: a frame is small.
        foreach (var portion in entries.Chunk(100))
        {
            Answer(new GuestResult { Entries = portion, Truncated = names.Count > MaxEntries });
        }

        Frames.Write(Out, Frame.End, []);

        static GuestEntry? Entry(string name)
        {
            try
            {
                return Describe(name);
            }
            catch (GuestFailure)
            {
                // Deleted meanwhile.
                return null;
            }
        }
    }

    private static GuestEntry Describe(string path)
    {
        FileSystemInfo info = new FileInfo(path);
        if (!info.Exists && info.LinkTarget is null)
        {
            info = new DirectoryInfo(path);
            if (!info.Exists)
            {
                throw new GuestFailure("not_found", "No such file or directory");
            }
        }

        var type = info.LinkTarget is not null ? "symlink"
            : info is DirectoryInfo ? "directory"
            : (info.Attributes & FileAttributes.Device) != 0 ? "other" : "file";
        return new GuestEntry(
            info.Name, info.FullName, type, info is FileInfo file && type == "file" ? file.Length : 0,
            type == "symlink" ? 0x1ff : (int)info.UnixFileMode, new DateTimeOffset(info.LastWriteTimeUtc).ToUnixTimeMilliseconds(), info.LinkTarget);
    }

    private static void MakeDirectory(string path)
    {
        if (File.Exists(path))
        {
            throw new GuestFailure("exists", "A file of that name is there");
        }

        Directory.CreateDirectory(path, NewDirectory);
    }

    private static void Move(string from, string to, bool overwrite)
    {
        var source = Describe(from);
        if (Path.Exists(to) && !overwrite)
        {
            throw new GuestFailure("exists", "The target is there already");
        }

        if (source.Type == "directory")
        {
            Directory.Move(from, to);
        }
        else
        {
            File.Move(from, to, overwrite);
        }

        Answer(new GuestResult());
    }

    private static void Delete(string path, bool recursive)
    {
        if (Describe(path).Type != "directory")
        {
            File.Delete(path);
        }
        else if (!recursive && Directory.EnumerateFileSystemEntries(path).Any())
        {
            throw new GuestFailure("not_empty", "The directory is not empty");
        }
        else
        {
            Directory.Delete(path, recursive);
        }

        Answer(new GuestResult());
    }

    private static void Answer(GuestResult result) => Frames.Write(Out, Frame.Result, result, GuestJson.Default.GuestResult);

    private sealed class GuestFailure(string code, string message) : Exception(message)
    {
        public string Code => code;
    }
}
