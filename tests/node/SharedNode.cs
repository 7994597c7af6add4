using Xunit;

[assembly: CollectionBehavior(DisableTestParallelization = true)]
[assembly: AssemblyFixture(typeof(Corral.NodeAgent.Tests.SharedNode))]

namespace Corral.NodeAgent.Tests;

/// <summary>One node for all tests that do nothing to the node itself.</summary>
public sealed class SharedNode : IAsyncLifetime
{
    private readonly Lazy<Task<TestNode>> _node = new(() => TestNode.StartAsync());

    /// <summary>The node, without what earlier tests left on it: each asks once, before anything else.</summary>
    internal async Task<TestNode> GetAsync(string isolation)
    {
        RequiredHost.Check(isolation);
        var node = await _node.Value;
        await node.EndLeftoversAsync();
        return node;
    }

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        if (_node.IsValueCreated) await (await _node.Value).DisposeAsync();
    }
}
