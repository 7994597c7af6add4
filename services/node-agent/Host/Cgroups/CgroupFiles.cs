using System.Globalization;

namespace Corral.NodeAgent.Host.Cgroups;

/// <summary>Reading and writing the small files that cgroups consist of.</summary>
internal static class CgroupFiles
{
    public static unsafe void Write(string path, string value)
    {
        using var fd = Fd.Open(path, Libc.OWrOnly);
        var bytes = System.Text.Encoding.ASCII.GetBytes(value);
        fixed (byte* p = bytes) Libc.Check((int)Libc.write(fd.Value, p, (nuint)bytes.Length), $"write '{value}' to {path}");
    }

    public static long Number(string path)
    {
        try
        {
            return long.TryParse(File.ReadAllText(path).AsSpan().Trim(), NumberStyles.Integer, CultureInfo.InvariantCulture, out var number) ? number : 0;
        }
        catch (IOException)
        {
            return 0;
        }
    }

    /// <summary>The number behind <paramref name="key"/> in a file of "key number" lines.</summary>
    public static long Keyed(string path, string key)
    {
        try
        {
            foreach (var line in File.ReadLines(path))
            {
                if (line.StartsWith(key, StringComparison.Ordinal) && line.Length > key.Length && line[key.Length] == ' ')
                    return long.Parse(line.AsSpan(key.Length + 1), CultureInfo.InvariantCulture);
            }
        }
        catch (IOException)
        {
        }

        return 0;
    }

    public static IReadOnlyList<int> Processes(string directory, string file = "cgroup.procs")
    {
        try
        {
            return [.. File.ReadLines(Path.Combine(directory, file)).Select(line => int.Parse(line, CultureInfo.InvariantCulture)).Where(pid => pid > 0)];
        }
        catch (IOException)
        {
            return [];
        }
    }

    /// <summary>Removes a group; gone already is fine, busy is false.</summary>
    public static bool TryRemove(string directory)
    {
        try
        {
            if (Directory.Exists(directory)) Directory.Delete(directory);
            return true;
        }
        catch (DirectoryNotFoundException)
        {
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }
}
