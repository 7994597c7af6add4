using Corral.Api.V1;
using Corral.Sessions.Lifecycle;
using Corral.Sessions.Records;

namespace Corral.Sessions.Nodes;

/// <summary>Fails the sandboxes that should be on a node and are not.</summary>
internal sealed class LostSandboxes(SandboxStore store, DueQueue due, SandboxDriver driver, TimeProvider clock)
{
    /// <param name="nodeId">The node.</param>
    /// <param name="named">What it has.</param>
    /// <param name="introducedAt">When it began to tell: what became ready later need not have been named.</param>
    public async Task FailMissingAsync(string nodeId, HashSet<(string Id, long Generation)> named, DateTimeOffset introducedAt)
    {
        foreach (var (organization, id) in await due.AllAsync())
        {
            await FailIfMissingAsync(organization, id, found => found.NodeId == nodeId && found.StartedAt < introducedAt && !named.Contains((found.Id, found.Generation)));
        }
    }

    private async Task FailIfMissingAsync(string organization, string id, Func<SandboxRecord, bool> isMissing)
    {
        while (await store.FindAsync(organization, id) is { Record.TakesWork: true } found && isMissing(found.Record))
        {
            var failed = found.Record with
            {
                State = SandboxState.Failed,
                EndedAt = clock.GetUtcNow(),
                EndReason = "node_lost",
                FailureReason = "The node no longer has the sandbox.",
            };

            // The room is given back by the driver.
            await due.AnnounceAsync(organization, id, found.Version + 1);
            if (await store.SaveAsync(found, failed))
            {
                driver.Drive(organization, id);
                return;
            }
        }
    }
}
