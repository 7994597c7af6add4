using Corral.Tests.Instance;
using Xunit;

namespace Corral.Fault.Tests.Lab;

/// <summary>One instance, whose parts are killed and brought back.</summary>
public sealed class FaultyInstance(FaultyInternet internet) : IAsyncLifetime
{
    public Instance Instance { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        internet.Require();
        Instance = await Instance.StartAsync("fault", internet.Settings);
    }

    public async ValueTask DisposeAsync()
    {
        if (Instance is not null) await Instance.DisposeAsync();
    }
}
