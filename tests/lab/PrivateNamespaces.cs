using System.Runtime.InteropServices;

namespace Corral.Tests.Lab;

/// <summary>Runs this program again in namespaces of its own, in place of itself.</summary>
internal static partial class PrivateNamespaces
{
    private const string Marker = "CORRAL_TEST_NAMESPACES";

    /// <summary>Whether the program is there already.</summary>
    public static bool Entered => Environment.GetEnvironmentVariable(Marker) is not null;

    /// <summary>Does not return when it succeeds; null when the program is there already, or cannot get there.</summary>
    public static int? Enter(string[] args)
    {
        if (Entered || Environment.UserName != "root") return null;
        string[] command = ["/usr/bin/unshare", "--net", "--mount", "env", Marker + "=1", Environment.ProcessPath!, .. args];
        string?[] terminated = [.. command, null];
        _ = execv(command[0], terminated);
        Console.Error.WriteLine($"unshare cannot be run: error {Marshal.GetLastPInvokeError()}.");
        return 1;
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int execv(string path, string?[] arguments);
}
