using Corral.Api.V1;
using Corral.Redis;
using Corral.Sessions.Lifecycle;
using Corral.Sessions.Records;

namespace Corral.Sessions.Nodes;

/// <summary>Fails the sandboxes that should be on a node and are not. <c>due:0</c> names every sandbox that is not over.</summary>
internal sealed class LostSandboxes(RedisConnection redis, SandboxStore store, SandboxDriver driver, TimeProvider clock)
{
    /// <param name="nodeId">The node.</param>
    /// <param name="named">What it has.</param>
    /// <param name="introducedAt">When it began to tell: what became ready later need not have been named.</param>
    public async Task FailMissingAsync(string nodeId, HashSet<(string Id, long Generation)> named, DateTimeOffset introducedAt)
    {
        var entries = await redis.RunAsync(database => database.SortedSetRangeByRankAsync("due:0"));
        foreach (var parts in entries.Select(entry => ((string)entry!).Split('|', 2)))
        {
            var (organization, id) = (parts[0], parts[1]);
            var missing = await store.FindAsync(organization, id) is { Record: { TakesWork: true } record } found
                && record.NodeId == nodeId && record.StartedAt < introducedAt && !named.Contains((id, record.Generation))
                && await store.SaveAsync(found, record with
                {
                    State = SandboxState.Failed,
                    EndedAt = clock.GetUtcNow(),
                    EndReason = "node_lost",
                    FailureReason = "The node no longer has the sandbox.",
                });
            if (missing)
            {
                driver.Drive(organization, id);
            }
        }
    }
}
