using Corral.Api.V1;
using Corral.Redis;
using Corral.Sessions.Lifecycle;
using Corral.Sessions.Records;

namespace Corral.Sessions.Nodes;

/// <summary>Fails the sandboxes that should be on a node and are not. <c>due:0</c> names every sandbox that is not over.</summary>
internal sealed class LostSandboxes(RedisConnection redis, SandboxStore store, DueQueue due, SandboxDriver driver, TimeProvider clock)
{
    /// <param name="nodeId">The node.</param>
    /// <param name="named">What it has.</param>
    /// <param name="introducedAt">When it began to tell: what became ready later need not have been named.</param>
    public async Task FailMissingAsync(string nodeId, HashSet<(string Id, long Generation)> named, DateTimeOffset introducedAt)
    {
        var entries = await redis.RunAsync(database => database.SortedSetRangeByRankAsync("due:0"));
        foreach (var parts in entries.Select(entry => ((string)entry!).Split('|', 2)))
        {
            await FailIfMissingAsync(parts[0], parts[1], found => found.NodeId == nodeId && found.StartedAt < introducedAt && !named.Contains((found.Id, found.Generation)));
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
            await due.ScheduleAsync(organization, id, DueQueue.Lease);
            if (await store.SaveAsync(found, failed))
            {
                driver.Drive(organization, id);
                return;
            }
        }
    }
}
