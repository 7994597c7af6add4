using System.Security.Cryptography;
using System.Text.Json;
using Corral.Redis;
using Corral.Sessions.Creating;
using Corral.Sessions.Events;
using StackExchange.Redis;

namespace Corral.Sessions.Records;

/// <summary>What became of a write.</summary>
internal enum SaveStatus
{
    Saved = 1,
    Conflict = 2,
    ConcurrencyLimit = 3,
    HoursLimit = 4,
    Repeated = 5,
    RequestConflict = 6,
}

/// <summary>The answer of a create's write.</summary>
/// <param name="Status">What became of it.</param>
/// <param name="Value">How many live, the milliseconds used, or the sandbox that the request made before.</param>
internal readonly record struct CreateResult(SaveStatus Status, string Value);

/// <summary>The records, in Redis. Everything of an organisation carries its id as hash tag, so that one script touches one slot.</summary>
internal sealed class SandboxStore(RedisConnection redis, EventLog events)
{
    private static readonly RedisScript SaveScript = RedisScript.Embedded(typeof(SandboxStore).Assembly, EventLog.Function, "save.lua");
    private static readonly TimeSpan Kept = TimeSpan.FromDays(30);

    /// <summary>Writes down whose sandbox an id is, before there is a record: a crash leaves an owner without a sandbox, which means nothing.</summary>
    public Task ClaimIdAsync(string id, string organization) =>
        redis.RunAsync(database => database.StringSetAsync("owner:" + id, organization, TimeSpan.FromDays(60)));

    /// <summary>Takes an id back whose sandbox was refused.</summary>
    public Task DisclaimIdAsync(string id) => redis.RunAsync(database => database.KeyDeleteAsync("owner:" + id));

    /// <summary>Whose sandbox this is, if it ever was one.</summary>
    public async Task<string?> OwnerAsync(string id) => await redis.RunAsync(database => database.StringGetAsync("owner:" + id));

    public async Task<Versioned?> FindAsync(string organization, string id)
    {
        var fields = await redis.RunAsync(database => database.HashGetAsync(RecordKey(organization, id), ["record", "version"]));
        return fields[0].IsNull ? null : new Versioned(Parse(fields[0]!), (long)fields[1]);
    }

    /// <summary>Writes a new record, if the plan has room for it.</summary>
    public async Task<CreateResult> CreateAsync(SandboxRecord record, PlanLimits limits, string requestId, byte[] digest)
    {
        var result = await SaveAsync(
            null, record, 0, 0, record.CreatedAt, limits.ConcurrentSandboxes, limits.HoursPerMonth * 3_600_000L, requestId,
            requestId.Length > 0 ? Convert.ToHexString(digest) : "");
        return new CreateResult((SaveStatus)(int)result[0], result.Length > 1 ? (string)result[1]! : "");
    }

    /// <summary>Writes a changed record; false when somebody else changed it first.</summary>
    public async Task<bool> SaveAsync(Versioned seen, SandboxRecord changed)
    {
        // Time is metered once, by the change that ends it.
        var metered = changed.IsOver && !seen.Record.IsOver && changed is { StartedAt: { } started, EndedAt: { } ended }
            ? Math.Max(0, (long)(ended - started).TotalMilliseconds)
            : 0;
        var result = await SaveAsync(seen.Record, changed, seen.Version, metered, changed.EndedAt ?? changed.CreatedAt, 0, 0, "", "");
        return (SaveStatus)(int)result[0] == SaveStatus.Saved;
    }

    /// <summary>Ids of an organisation's sandboxes, newest first, and how many there are; null when there is no sandbox to go on after.</summary>
    public Task<(IReadOnlyList<string> Ids, long Total)?> ListAsync(string organization, string after, int count) =>
        redis.RunAsync<(IReadOnlyList<string>, long)?>(async database =>
        {
            RedisKey index = Tag(organization) + ":index";
            long? rank = after.Length == 0 ? -1 : await database.SortedSetRankAsync(index, after, Order.Descending);
            if (rank is not { } last)
            {
                return null;
            }

            var ids = await database.SortedSetRangeByRankAsync(index, last + 1, last + count, Order.Descending);
            return ([.. ids.Select(id => (string)id!)], await database.SortedSetLengthAsync(index));
        });

    /// <summary>Ids of an organisation's sandboxes that are not over.</summary>
    public Task<IReadOnlyList<string>> OpenAsync(string organization) => redis.RunAsync<IReadOnlyList<string>>(async database =>
        [.. (await database.SetMembersAsync(OpenKey(organization))).Select(id => (string)id!)]);

    /// <summary>Calls back whenever some record changed, with its id, and whenever an organisation has a new event, with the organisation's.</summary>
    public Task WatchAsync(Action<string> changed) => redis.SubscribeAsync("sandbox-changes", changed);

    private async Task<RedisResult[]> SaveAsync(
        SandboxRecord? before, SandboxRecord record, long version, long metered, DateTimeOffset month, long concurrency, long hours, string requestId, string digest)
    {
        var tag = Tag(record.Organization);
        var allowance = record.IsCustom ? tag + ":custom" : tag;
        RedisKey[] keys =
        [
            RecordKey(record.Organization, record.Id), allowance + ":live", tag + ":index", EventLog.Key(record.Organization),
            $"{allowance}:ms:{month.UtcDateTime:yyyy-MM}", $"{tag}:req:{requestId}", OpenKey(record.Organization),
        ];
        var result = await SaveScript.RunAsync(
            redis, keys,
            record.Id, version, JsonSerializer.SerializeToUtf8Bytes(record, RecordJson.Default.SandboxRecord), record.State.ToString(),
            Counts(record) ? 1 : 0, record.CreatedAt.ToUnixTimeMilliseconds(), metered, concurrency, hours, digest,
            record is { IsOver: true, CleanedUp: true } ? (long)Kept.TotalSeconds : 0, record.IsOver ? 1 : 0, EventOf(before, record));
        return (RedisResult[])result!;
    }

    private string EventOf(SandboxRecord? before, SandboxRecord record) =>
        EventTypes.Between(before, record) is { } type ? events.Draft(record.Organization, type, record.Id, EventFacts.Of(record)) : "";

    private static bool Counts(SandboxRecord record) => !record.IsOver && record.State != Api.V1.SandboxState.Paused;

    private static SandboxRecord Parse(RedisValue value) =>
        JsonSerializer.Deserialize((byte[])value!, RecordJson.Default.SandboxRecord)
        ?? throw new InvalidOperationException("A record is empty.");

    private static string Tag(string organization) => "{" + organization + "}";

    private static string OpenKey(string organization) => Tag(organization) + ":open";

    private static string RecordKey(string organization, string id) => $"{Tag(organization)}:sbx:{id}";
}
