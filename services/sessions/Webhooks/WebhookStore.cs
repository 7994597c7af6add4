using System.Text.Json;
using Corral.Redis;
using Corral.Sessions.Events;
using StackExchange.Redis;

namespace Corral.Sessions.Webhooks;

/// <summary>What became of a write.</summary>
internal enum WebhookStatus
{
    Written = 1,
    Conflict = 2,
    TooMany = 3,
}

/// <summary>The webhooks, in Redis.</summary>
internal sealed class WebhookStore(RedisConnection redis)
{
    private static readonly RedisScript SaveScript = RedisScript.Embedded(typeof(WebhookStore).Assembly, EventLog.Function, "webhook.lua");
    private static readonly RedisScript ClaimScript = RedisScript.Embedded(typeof(WebhookStore).Assembly, "claim.lua");
    private static readonly RedisScript DeleteScript = RedisScript.Embedded(typeof(WebhookStore).Assembly, "delete.lua");

    public static RedisKey Key(string organization, string id) => $"{{{organization}}}:webhook:{id}";

    public Task<WebhookState?> FindAsync(string organization, string id) => redis.RunAsync(async database =>
    {
        var fields = await database.HashGetAsync(Key(organization, id), ["record", "version", "owner", "cursor", "waiting", "failing"]);
        return fields[0].IsNull ? null : new WebhookState(Parse(fields[0]), (long)fields[1], fields[2].ToString(), (long)fields[3], (long)fields[4], Time(fields[5]));
    });

    /// <summary>An organisation's webhooks, oldest first.</summary>
    public async Task<IReadOnlyList<WebhookState>> ListAsync(string organization)
    {
        var ids = await redis.RunAsync(database => database.SortedSetRangeByRankAsync(Index(organization)));
        return [.. (await Task.WhenAll(ids.Select(id => FindAsync(organization, id!)))).OfType<WebhookState>()];
    }

    /// <summary>Writes a new webhook, which gets what happens from now on.</summary>
    public Task<WebhookStatus> AddAsync(WebhookRecord record, int most) => SaveAsync(record, 0, most, fromNow: true, "");

    /// <summary>Writes a changed one, and appends the event that tells of it, if any.</summary>
    public async Task<bool> SaveAsync(WebhookState seen, WebhookRecord changed, string happened = "") =>
        await SaveAsync(changed, seen.Version, 0, fromNow: changed.Enabled && !seen.Record.Enabled, happened) == WebhookStatus.Written;

    /// <summary>Removes one with what waits for it; false when there is none.</summary>
    public async Task<bool> DeleteAsync(string organization, string id) =>
        (int)await DeleteScript.RunAsync(redis, [Key(organization, id), Index(organization)], id) == 1;

    /// <summary>Makes a courier the only one whose writes count; false when there is no such webhook.</summary>
    public async Task<bool> ClaimAsync(string organization, string id, string owner) =>
        (int)await ClaimScript.RunAsync(redis, [Key(organization, id)], owner) == 1;

    private async Task<WebhookStatus> SaveAsync(WebhookRecord record, long version, int most, bool fromNow, string happened)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(record, WebhookJson.Default.WebhookRecord);
        RedisKey[] keys = [Key(record.Organization, record.Id), Index(record.Organization), EventLog.Key(record.Organization)];
        return (WebhookStatus)(int)await SaveScript.RunAsync(
            redis, keys, record.Id, version, json, record.CreatedAt.ToUnixTimeMilliseconds(), most, fromNow ? 1 : 0, happened);
    }

    private static RedisKey Index(string organization) => $"{{{organization}}}:webhooks";

    private static DateTimeOffset? Time(RedisValue milliseconds) =>
        milliseconds.IsNull ? null : DateTimeOffset.FromUnixTimeMilliseconds((long)milliseconds);

    private static WebhookRecord Parse(RedisValue value) =>
        JsonSerializer.Deserialize((byte[])value!, WebhookJson.Default.WebhookRecord) ?? throw new InvalidOperationException("A webhook is empty.");
}
