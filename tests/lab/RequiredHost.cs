using Corral.NodeAgent.Host;
using Xunit;

namespace Corral.Tests.Lab;

/// <summary>What a suite needs of its host. Missing: its tests are skipped on a laptop, and fail where CI=true.</summary>
internal sealed class RequiredHost(params IEnumerable<string> programs)
{
    private readonly string _missing = PrivateNamespaces.Entered ? string.Join(", ", programs.Where(program => HostProcess.Find(program) is null)) : "root";

    public bool IsThere => _missing.Length == 0;

    public void Require()
    {
        if (IsThere) return;
        if (Environment.GetEnvironmentVariable("CI") == "true") Assert.Fail($"Missing here: {_missing}.");
        Assert.Skip($"Missing here: {_missing}.");
    }
}
