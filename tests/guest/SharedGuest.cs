using Xunit;

[assembly: CollectionBehavior(DisableTestParallelization = true)]
[assembly: AssemblyFixture(typeof(Corral.Guest.Tests.SharedGuest))]

namespace Corral.Guest.Tests;

/// <summary>One guest for all tests that do nothing to the guest itself.</summary>
public sealed class SharedGuest : IAsyncLifetime
{
    private readonly Lazy<Task<GuestBox>> _box = new(() => GuestBox.StartAsync());

    internal Task<GuestBox> GetAsync()
    {
        RequiredHost.Check();
        return _box.Value;
    }

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        if (_box is { IsValueCreated: true, Value.IsCompletedSuccessfully: true }) await (await _box.Value).DisposeAsync();
    }
}
