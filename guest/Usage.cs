using System.Globalization;

namespace Corral.Guest;

/// <summary>What runs and listens inside.</summary>
internal static class Usage
{
    /// <summary>Threads of all processes.</summary>
    public static int Threads()
    {
        var count = 0;
        foreach (var process in Directory.EnumerateDirectories("/proc").Where(d => char.IsAsciiDigit(Path.GetFileName(d)[0])))
        {
            try
            {
                count += Directory.GetDirectories(process + "/task").Length;
            }
            catch (IOException)
            {
                // It ended meanwhile.
            }
            catch (UnauthorizedAccessException)
            {
                count++;
            }
        }

        return count;
    }

    /// <summary>TCP ports that something listens on.</summary>
    public static List<int> Ports()
    {
        const string Listening = "0A";
        var ports = new SortedSet<int>();
        foreach (var table in new[] { "/proc/net/tcp", "/proc/net/tcp6" }.Where(File.Exists))
        {
            foreach (var fields in File.ReadLines(table).Skip(1).Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries)))
            {
                if (fields.Length > 3 && fields[3] == Listening
                    && int.TryParse(fields[1][(fields[1].LastIndexOf(':') + 1)..], NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var port))
                {
                    ports.Add(port);
                }
            }
        }

        return [.. ports];
    }
}
