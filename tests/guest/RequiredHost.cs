using Xunit;

namespace Corral.Guest.Tests;

/// <summary>What a guest needs to be built and started. Missing: skipped on a laptop, failed where CI=true.</summary>
internal static class RequiredHost
{
    private static readonly string[] Programs = ["unshare", "setpriv", "ip", "clang", "ld.lld"];

    public static void Check()
    {
        var missing = Programs.Where(program => !Places().Any(place => File.Exists(Path.Combine(place, program)))).ToList();
        if (Environment.UserName != "root") missing.Add("root");
        if (missing.Count == 0) return;
        var text = $"Missing here: {string.Join(", ", missing)}.";
        if (Environment.GetEnvironmentVariable("CI") == "true") Assert.Fail(text);
        Assert.Skip(text);
    }

    private static string[] Places() => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':');
}
