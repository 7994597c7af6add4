using Corral.Redis;
using Corral.Sessions.Records;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Corral.Sessions.Ledger;

/// <summary>The sandboxes that are over, for as long as they are kept.</summary>
internal sealed class Terminations(RedisConnection redis, SandboxStore store, IOptions<LedgerOptions> options, TimeProvider clock)
{
    // More than ever end between two looks; what is left is forgotten at the next one.
    private const int Batch = 500;

    private static readonly RedisScript PruneScript = RedisScript.Embedded(typeof(Terminations).Assembly, "prune.lua");

    /// <summary>Records, the last one to end first, after one of them or from the first, and how many there are; null when there is no such one.</summary>
    public async Task<(IReadOnlyList<SandboxRecord> Records, string? Last, long Total)?> ReadAsync(string organization, string after, int count)
    {
        await PruneAsync(organization);
        var key = EndedKey(organization);
        var rank = after.Length == 0 ? -1 : await redis.RunAsync(database => database.SortedSetRankAsync(key, after, Order.Descending));
        if (rank is not { } last)
        {
            return null;
        }

        var ids = await redis.RunAsync(database => database.SortedSetRangeByRankAsync(key, last + 1, last + count, Order.Descending));
        var records = await Task.WhenAll(ids.Select(id => store.FindAsync(organization, id!)));
        return ([.. records.OfType<Versioned>().Select(found => found.Record)], ids.Length == count ? (string?)ids[^1] : null, await redis.RunAsync(database => database.SortedSetLengthAsync(key)));
    }

    /// <summary>Forgets those whose time is over, from every list.</summary>
    public Task PruneAsync(string organization)
    {
        var until = clock.GetUtcNow() - options.Value.KeepFor;
        return PruneScript.RunAsync(redis, [EndedKey(organization), "{" + organization + "}:index"], until.ToUnixTimeMilliseconds(), Batch);
    }

    private static RedisKey EndedKey(string organization) => "{" + organization + "}:ended";
}
