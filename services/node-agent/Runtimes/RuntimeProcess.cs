using System.Globalization;
using Corral.NodeAgent.Host;

namespace Corral.NodeAgent.Runtimes;

/// <summary>Runs a runtime's program detached and reads what it leaves: a process id, or a log that says why not.</summary>
internal static class RuntimeProcess
{
    private const int MostWords = 1000;

    public static int Start(string program, IReadOnlyList<string> arguments, string bundle, string? cgroupFile, SealedProgram? copy = null)
    {
        var path = copy?.Path ?? program;
        var pidFile = Path.Combine(bundle, "pid");
        // Nothing of the box's may reach a file of ours, so its output goes nowhere; the runtime's own words go to its log.
        var code = cgroupFile is null
            ? HostProcess.RunRuntime(path, arguments)
            : HostProcess.RunRuntime("/bin/sh", ["-c", "echo 0 > \"$0\" && exec \"$@\"", cgroupFile, path, .. arguments]);
        if (code != 0) throw new HostException($"{Path.GetFileName(program)} exited with {code}: {LastWords(bundle)}");
        return int.Parse(File.ReadAllText(pidFile), CultureInfo.InvariantCulture);
    }

    public static string Log(string bundle) => Path.Combine(bundle, "log");

    public static void Delete(string path)
    {
        if (Directory.Exists(path)) Directory.Delete(path, recursive: true);
    }

    /// <summary>The end of what a box's runtime wrote about it.</summary>
    public static string LastWords(string bundle)
    {
        var log = Log(bundle);
        var text = File.Exists(log) ? File.ReadAllText(log).Trim() : "";
        return text.Length switch
        {
            0 => "it left no word",
            > MostWords => text[^MostWords..],
            _ => text,
        };
    }
}
