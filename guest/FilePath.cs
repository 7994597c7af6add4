using System.Runtime.InteropServices;
using System.Text;

namespace Corral.Guest;

/// <summary>A path as it was asked for, and as the kernel takes it.</summary>
/// <param name="Shown">Absolute, otherwise as it was asked for.</param>
/// <param name="Real">
/// Without links and dots above its last part. The platform's own functions cut ".." off before any link is followed, the kernel after;
/// with nothing left to cut they agree.
/// </param>
internal readonly unsafe record struct FilePath(string Shown, string Real)
{
    private const int Longest = 4096;

    public static FilePath Of(string? text)
    {
        if (string.IsNullOrEmpty(text))
        {
            throw new GuestFailure("invalid_path", "The path is empty");
        }

        var shown = text[0] == '/' ? text : "/workspace/" + text;
        shown = shown.TrimEnd('/') is { Length: > 0 } trimmed ? trimmed : "/";
        var (parent, name) = Split(shown);
        return name is "" or "." or ".." ? new FilePath(shown, RealPath(shown)) : new FilePath(shown, Join(Canonical(parent), name));
    }

    /// <summary>An entry of this directory.</summary>
    public FilePath Entry(string name) => new(Join(Shown, name), Join(Real, name));

    /// <summary>The same with its last part followed, too.</summary>
    public FilePath Followed() => new(Shown, RealPath(Real));

    public FilePath Parent() => new(Split(Shown).Parent, Split(Real).Parent);

    public string Name => Split(Shown).Name;

    public static byte[] Bytes(string path) => Encoding.UTF8.GetBytes(path + '\0');

    // What is not there yet may be made: it keeps its names.
    private static string Canonical(string path)
    {
        var missing = new Stack<string>();
        while (true)
        {
            var (found, error) = TryRealPath(path);
            if (error == 0)
            {
                return missing.Aggregate(found, Join);
            }

            var (parent, name) = Split(path);
            if (error != Libc.Enoent || name is ".." || IsLink(path))
            {
                throw GuestFailure.Of(error);
            }

            if (name is not ("" or "."))
            {
                missing.Push(name);
            }

            path = parent;
        }
    }

    private static bool IsLink(string path) => FileStatus.TryOf(path, follow: false)?.Type == "symlink";

    private static string RealPath(string path)
    {
        var (found, error) = TryRealPath(path);
        return error == 0 ? found : throw GuestFailure.Of(error);
    }

    /// <summary>Without links and dots; or the error number.</summary>
    public static (string Path, int Error) TryRealPath(string path)
    {
        var resolved = stackalloc byte[Longest];
        fixed (byte* start = Bytes(path))
        {
            return Libc.realpath(start, resolved) == null ? ("", Libc.LastError) : (Marshal.PtrToStringUTF8((nint)resolved)!, 0);
        }
    }

    private static string Join(string directory, string name) => directory == "/" ? "/" + name : $"{directory}/{name}";

    private static (string Parent, string Name) Split(string path)
    {
        var cut = path.LastIndexOf('/');
        return (cut == 0 ? "/" : path[..cut], path[(cut + 1)..]);
    }
}
