using Corral.Scheduler.V1;
using Corral.Sessions.Clock;
using Corral.Sessions.Lifecycle;
using Corral.Sessions.Records;

namespace Corral.Sessions.Nodes;

/// <summary>Ends what still runs on nodes whose drain has come to its deadline.</summary>
internal sealed class DrainedNodes(NodeAdminService.NodeAdminServiceClient scheduler, SandboxStore store, DueQueue due, SandboxEnder ender, TimeProvider clock)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>Looks at every node once. Any number of replicas may: an end that is asked for twice is one.</summary>
    public async Task EndAsync(CancellationToken cancellationToken)
    {
        var nodes = await scheduler.ListNodesAsync(new ListNodesRequest(), deadline: Deadline.In(Patience), cancellationToken: cancellationToken);
        var over = nodes.Nodes
            .Where(node => node.Sandboxes > 0 && node.Drain is { Deadline: { } deadline } && deadline.ToDateTimeOffset() <= clock.GetUtcNow())
            .ToDictionary(node => node.Description.NodeId, node => node.Drain.Reason, StringComparer.Ordinal);
        if (over.Count == 0)
        {
            return;
        }

        foreach (var (organization, id) in await due.AllAsync())
        {
            if (await store.FindAsync(organization, id) is { Record: { IsOver: false, State: not Api.V1.SandboxState.Queued } record } && over.TryGetValue(record.NodeId, out var reason))
            {
                await ender.EndAsync(organization, id, "operator", reason);
            }
        }
    }
}
