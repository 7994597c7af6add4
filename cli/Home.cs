using System.Security.Cryptography;
using Corral.Hosting;

namespace Corral.Cli;

/// <summary>The instance's directories and the key that seals its secrets.</summary>
internal static class Home
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>Makes what is missing.</summary>
    public static void Prepare()
    {
        Directory.CreateDirectory(CorralPaths.Home);
        foreach (var directory in new[] { CorralPaths.Run, Path.Combine(CorralPaths.Home, "redis"), Path.Combine(CorralPaths.Home, "logs"), Path.Combine(CorralPaths.Home, "keys") })
        {
            Directory.CreateDirectory(directory, OwnerOnly);
            File.SetUnixFileMode(directory, OwnerOnly);
        }

        if (!File.Exists(CorralPaths.SecretsKey)) MakeKey(CorralPaths.SecretsKey);
    }

    // Whole or not at all: a key that is lost makes every sealed secret unreadable.
    private static void MakeKey(string path)
    {
        var fresh = path + ".new";
        File.Delete(fresh);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite };
        using (var file = new FileStream(fresh, options))
        {
            file.Write(RandomNumberGenerator.GetBytes(32));
            file.Flush(flushToDisk: true);
        }

        File.Move(fresh, path);
    }
}
