using Corral.Sessions.Creating;
using Xunit;

namespace Corral.Sessions.Tests;

/// <summary>Bad plans stop the service before it listens.</summary>
public sealed class PlanOptionsTests
{
    [Fact]
    public void TheDefaults_AreValid() => Assert.True(new PlanOptionsValidator().Validate(null, new PlanOptions()).Succeeded);

    [Fact]
    public void ALifeOfNoLength_NamesItsKey()
    {
        var plans = new PlanOptions();
        plans.Builder.MaxDuration = TimeSpan.Zero;

        var result = new PlanOptionsValidator().Validate(null, plans);

        Assert.Contains("MaxDuration", result.FailureMessage, StringComparison.Ordinal);
        Assert.Contains("Builder", result.FailureMessage, StringComparison.Ordinal);
    }

    [Fact]
    public void ANegativeLimit_IsRefused()
    {
        var plans = new PlanOptions();
        plans.Scale.ConcurrentSandboxes = -1;

        Assert.True(new PlanOptionsValidator().Validate(null, plans).Failed);
    }
}
