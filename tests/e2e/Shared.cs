using Corral.EndToEnd.Tests;
using Xunit;

[assembly: AssemblyFixture(typeof(SharedInstance))]
[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace Corral.EndToEnd.Tests;

/// <summary>One instance for all tests, and one sandbox of each kind for the tests that share it.</summary>
public sealed class SharedInstance : IAsyncLifetime
{
    private readonly Dictionary<(string Runtime, string Isolation), string> _sandboxes = [];

    /// <summary>The instance.</summary>
    public Corral.Tests.Instance.Instance Instance { get; private set; } = null!;

    /// <summary>Speaks JSON to it.</summary>
    public Corral.Tests.Instance.BoxesClient Boxes => Instance.Boxes;

    public async ValueTask InitializeAsync() => Instance = await Corral.Tests.Instance.Instance.StartAsync("e2e", Corral.Tests.Instance.HookReceiver.Settings);

    /// <summary>A sandbox that stays for other tests: nothing that a test leaves in it may matter to them.</summary>
    public async Task<string> SandboxAsync(string isolation, string runtime = "base")
    {
        if (!_sandboxes.TryGetValue((runtime, isolation), out var id))
        {
            id = await Boxes.ReadyAsync(new() { ["runtime"] = runtime, ["isolation"] = isolation });
            _sandboxes[(runtime, isolation)] = id;
        }

        return id;
    }

    /// <summary>Another organisation, through its first key.</summary>
    public async Task<Corral.Tests.Instance.BoxesClient> OrganizationAsync(string plan)
    {
        var made = await Boxes.PostAsync("/v1/admin/organizations", new() { ["name"] = "of a test", ["plan"] = plan });
        return made.Status == System.Net.HttpStatusCode.Created
            ? new Corral.Tests.Instance.BoxesClient(Instance.Endpoint, (string)made.Body!["apiKey"]!)
            : throw new InvalidOperationException($"an organisation was answered {(int)made.Status}: {made.Text}");
    }

    public async ValueTask DisposeAsync() => await Instance.DisposeAsync();
}
