namespace Corral.Guest;

/// <summary>What the kernel says of a path (statx(2)).</summary>
internal readonly unsafe record struct FileStatus(string Type, int Mode, long Size, long ModifiedMs, uint User, uint Group)
{
    private const int NoFollow = 0x100;
    private const uint BasicStats = 0x7ff;

    // As far as milliseconds reach.
    private const long MostSeconds = (long.MaxValue / 1000) - 1;

    public bool IsDirectory => Type == "directory";

    public bool IsFile => Type == "file";

    public static FileStatus Of(string path, bool follow) => TryOf(path, follow, out var status) is var error && error == 0 ? status : throw GuestFailure.Of(error);

    /// <summary>Null when there is no such path, or it cannot be seen.</summary>
    public static FileStatus? TryOf(string path, bool follow) => TryOf(path, follow, out var status) == 0 ? status : null;

    private static int TryOf(string path, bool follow, out FileStatus status)
    {
        var raw = stackalloc byte[256];
        fixed (byte* start = FilePath.Bytes(path))
        {
            if (Libc.statx(Libc.AtFdcwd, start, follow ? 0 : NoFollow, BasicStats, raw) != 0)
            {
                status = default;
                return Libc.LastError;
            }
        }

        var mode = *(ushort*)(raw + 28);
        var type = (mode & 0xF000) switch { 0x8000 => "file", 0x4000 => "directory", 0xA000 => "symlink", _ => "other" };
        var modified = (Math.Clamp(*(long*)(raw + 112), -MostSeconds, MostSeconds) * 1000) + (*(uint*)(raw + 120) / 1_000_000);
        status = new FileStatus(type, mode & 0xFFF, type == "file" ? *(long*)(raw + 40) : 0, modified, *(uint*)(raw + 20), *(uint*)(raw + 24));
        return 0;
    }
}
