using Corral.NodeAgent.Host;
using Xunit;

namespace Corral.NodeAgent.Tests;

/// <summary>What real sandboxes need. Missing: skipped on a laptop, failed where CI=true.</summary>
internal static class RequiredHost
{
    public static readonly string[] Isolations = ["runc", "runsc"];

    public static void Check(string isolation)
    {
        var missing = new List<string>();
        if (Environment.UserName != "root") missing.Add("root");
        string[] programs = [isolation == "runsc" ? "runsc" : "crun", "mkfs.btrfs", "losetup", "nft", "mmdebstrap", "clang"];
        missing.AddRange(programs.Where(program => HostProcess.Find(program) is null));
        if (missing.Count == 0) return;
        var text = $"Missing here: {string.Join(", ", missing)}.";
        if (Environment.GetEnvironmentVariable("CI") == "true") Assert.Fail(text);
        Assert.Skip(text);
    }
}
