using System.Globalization;

namespace Corral.NodeAgent.Host;

/// <summary>Tells a process from a later one with the same number.</summary>
internal static class HostPid
{
    /// <summary>When the process started, in the kernel's ticks; 0 when there is none.</summary>
    public static ulong Started(int pid)
    {
        try
        {
            var text = File.ReadAllText($"/proc/{pid}/stat");
            // The second field is the program's name in parentheses, and may hold anything.
            var fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
            return fields[0] is "Z" or "X" ? 0 : ulong.Parse(fields[19], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return 0;
        }
    }
}
