namespace Corral.Guest;

/// <summary>An operation that cannot be done, as its client is told.</summary>
internal sealed class GuestFailure(string code, string message) : Exception(message)
{
    public string Code => code;

    /// <summary>What an error number means to a client.</summary>
    public static GuestFailure Of(int error) => error switch
    {
        Libc.Enoent => new GuestFailure("not_found", "No such file or directory"),
        Libc.Eexist => new GuestFailure("exists", "The target is there already"),
        Libc.Enotdir => new GuestFailure("not_directory", "Not a directory"),
        21 => new GuestFailure("is_directory", "Is a directory"),
        39 => new GuestFailure("not_empty", "The directory is not empty"),
        1 or Libc.Eacces or 30 => new GuestFailure("permission_denied", "Permission denied"),
        Libc.Enospc or 122 => new GuestFailure("no_space", "No space left"),
        Libc.Enametoolong => new GuestFailure("invalid_path", "A name in the path is too long"),
        Libc.Eloop => new GuestFailure("invalid_path", "The path has too many symbolic links"),
        Libc.Einval => new GuestFailure("invalid_path", "The operation cannot be done on this path"),
        Libc.Exdev => new GuestFailure("other", "Only files and links can be moved to another file system"),
        _ => new GuestFailure("other", "The operation failed"),
    };
}
