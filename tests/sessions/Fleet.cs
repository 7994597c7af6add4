namespace Corral.Sessions.Tests;

/// <summary>A scheduler and two nodes, made up, behind real gRPC.</summary>
internal sealed class Fleet : IAsyncDisposable
{
    private readonly FakeHost _schedulerHost = new();

    private Fleet()
    {
        Nodes = [new FakeNode("a", Calls), new FakeNode("b", Calls)];
        Scheduler = new FakeScheduler(Calls, Nodes);
    }

    public Calls Calls { get; } = new();

    public IReadOnlyList<FakeNode> Nodes { get; }

    public FakeScheduler Scheduler { get; }

    public string SchedulerAddress => _schedulerHost.Address;

    /// <summary>Where a sandbox runs, on whatever nodes.</summary>
    public IReadOnlyList<string> WhereRuns(string id) => [.. Nodes.Where(n => n.Running.ContainsKey(id)).Select(n => n.Id)];

    public static async Task<Fleet> StartAsync()
    {
        var fleet = new Fleet();
        await fleet._schedulerHost.StartAsync(fleet.Scheduler);
        foreach (var node in fleet.Nodes)
        {
            await node.Host.StartAsync(node);
        }

        return fleet;
    }

    public async ValueTask DisposeAsync()
    {
        await _schedulerHost.DisposeAsync();
        foreach (var node in Nodes)
        {
            await node.DisposeAsync();
        }
    }
}
