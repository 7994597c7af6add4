using System.Text;

namespace Corral.Guest;

/// <summary>Finds programs as a shell does: what has a slash in it is a path, anything else is looked for on the PATH that it will have.</summary>
internal static unsafe class ProgramPath
{
    private const int Executable = 1;

    /// <summary>The program's path; null for one that is not there, or not for whom this thread's real ids belong to.</summary>
    public static string? Find(Spawn spawn)
    {
        var name = spawn.Command[0];
        return name.Contains('/')
            ? name
            : spawn.Environment.GetValueOrDefault("PATH", "").Split(':')
                .Select(folder => Path.Combine(spawn.Directory, folder, name))
                .FirstOrDefault(path => File.Exists(path) && MayRun(path));
    }

    private static bool MayRun(string path)
    {
        fixed (byte* text = Encoding.UTF8.GetBytes(path + '\0'))
        {
            return Libc.access(text, Executable) == 0;
        }
    }
}
