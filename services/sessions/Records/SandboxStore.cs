using System.Text.Json;
using Corral.Api.V1;
using Corral.Redis;
using Corral.Sessions.Creating;
using Corral.Sessions.Events;
using Corral.Sessions.Ledger;
using Corral.Sessions.Usage;
using Microsoft.Extensions.Options;
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
    WaitingLimit = 7,
}

/// <summary>The answer of a write that asks for room.</summary>
/// <param name="Status">What became of it.</param>
/// <param name="Value">How many live or wait, the milliseconds used, or the sandbox that the request made before.</param>
internal readonly record struct SaveResult(SaveStatus Status, string Value);

/// <summary>The records, in Redis. Everything of an organisation carries its id as hash tag, so that one script touches one slot.</summary>
internal sealed class SandboxStore(RedisConnection redis, EventLog events, IOptions<LedgerOptions> ledger)
{
    private static readonly RedisScript SaveScript = RedisScript.Embedded(typeof(SandboxStore).Assembly, EventLog.Function, "save.lua");
    private static readonly TimeSpan OwnerKept = TimeSpan.FromDays(30);

    /// <summary>Somebody left room, and this sandbox of this organisation is the first of those that wait for it.</summary>
    public event Action<string, string>? Vacated;

    /// <summary>Writes down whose sandbox an id is, before there is a record: a crash leaves an owner without a sandbox, which means nothing.</summary>
    /// <param name="id">The sandbox.</param>
    /// <param name="organization">Whose it is.</param>
    /// <param name="life">How long it may live.</param>
    public Task ClaimIdAsync(string id, string organization, TimeSpan life = default) =>
        redis.RunAsync(database => database.StringSetAsync("owner:" + id, organization, life + ledger.Value.KeepFor + OwnerKept));

    /// <summary>Takes an id back whose sandbox was refused.</summary>
    public Task DisclaimIdAsync(string id) => redis.RunAsync(database => database.KeyDeleteAsync("owner:" + id));

    /// <summary>Whose sandbox this is, if it ever was one.</summary>
    public async Task<string?> OwnerAsync(string id) => await redis.RunAsync(database => database.StringGetAsync("owner:" + id));

    public async Task<Versioned?> FindAsync(string organization, string id)
    {
        var fields = await redis.RunAsync(database => database.HashGetAsync(RecordKey(organization, id), ["record", "version"]));
        return fields[0].IsNull ? null : new Versioned(Parse(fields[0]!), (long)fields[1]);
    }

    /// <summary>Writes a new record, if the plan has room for it, or for another one that waits.</summary>
    public Task<SaveResult> CreateAsync(SandboxRecord record, PlanLimits limits, string requestId, byte[] digest) =>
        SaveAsync(new Versioned(record, 0), record, Asking(record, limits, record.CreatedAt), requestId, requestId.Length > 0 ? Convert.ToHexString(digest) : "");

    /// <summary>Writes a changed record that begins to count, if the plan has room for it.</summary>
    public Task<SaveResult> AdmitAsync(Versioned seen, SandboxRecord changed, PlanLimits limits, DateTimeOffset now) =>
        SaveAsync(seen, changed, Asking(changed, limits, now), "", "");

    /// <summary>Writes a changed record; false when somebody else changed it first.</summary>
    public async Task<bool> SaveAsync(Versioned seen, SandboxRecord changed)
    {
        if (seen.Record is { IsOver: false, State: not SandboxState.Ending } && (changed.IsOver || changed.State == SandboxState.Ending))
        {
            changed = changed with { StateBefore = seen.Record.State };
        }

        return (await SaveAsync(seen, changed, Standing(changed), "", "")).Status == SaveStatus.Saved;
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

    /// <summary>Sandboxes that count against a plan's concurrency.</summary>
    public Task<IReadOnlyList<string>> LiveAsync(string organization, bool custom) => redis.RunAsync<IReadOnlyList<string>>(async database =>
        [.. (await database.SetMembersAsync(AllowanceTag(organization, custom) + ":live")).Select(id => (string)id!)]);

    /// <summary>How many wait for a plan to have room.</summary>
    public Task<long> WaitingAsync(string organization, bool custom) =>
        redis.RunAsync(database => database.SortedSetLengthAsync(AllowanceTag(organization, custom) + ":waiting"));

    /// <summary>How many wait before a sandbox for its plan to have room; null when it does not wait.</summary>
    public Task<long?> WaitsBehindAsync(SandboxRecord record) =>
        redis.RunAsync(database => database.SortedSetRankAsync(AllowanceTag(record.Organization, record.IsCustom) + ":waiting", record.Id));

    /// <summary>Ids of an organisation's sandboxes that are not over.</summary>
    public Task<IReadOnlyList<string>> OpenAsync(string organization) => redis.RunAsync<IReadOnlyList<string>>(async database =>
        [.. (await database.SetMembersAsync(OpenKey(organization))).Select(id => (string)id!)]);

    /// <summary>Calls back whenever some record changed, with its id, and whenever an organisation has a new event, with the organisation's.</summary>
    public Task WatchAsync(Action<string> changed) => redis.SubscribeAsync("sandbox-changes", changed);

    // What the record says. Time is metered once, by the change that ends it.
    private static Account Standing(SandboxRecord record) => new()
    {
        Counts = record.Counts,
        Waits = record is { Waiting: true, State: SandboxState.Queued },
        RunsFrom = record.RunsFrom?.ToUnixTimeMilliseconds(),
        EndedAt = record.IsOver ? record.EndedAt?.ToUnixTimeMilliseconds() : null,
    };

    private static Account Asking(SandboxRecord record, PlanLimits limits, DateTimeOffset now) => Standing(record) with
    {
        Now = now.ToUnixTimeMilliseconds(),
        MonthStart = Metering.Start(Metering.MonthOf(now)).ToUnixTimeMilliseconds(),
        Concurrency = limits.ConcurrentSandboxes,
        Hours = limits.MillisecondsPerMonth,
        MostWaiting = limits.WaitingSandboxes,
    };

    private async Task<SaveResult> SaveAsync(Versioned seen, SandboxRecord changed, Account account, string requestId, string digest)
    {
        var tag = Tag(changed.Organization);
        var allowance = AllowanceTag(changed.Organization, changed.IsCustom);
        List<DateOnly> months = account.Now is { } now ? [Metering.MonthOf(DateTimeOffset.FromUnixTimeMilliseconds(now))] : [];
        List<MeteredPart> metered = [];
        if (seen.Record.RunsFrom is { } from && changed is { RunsFrom: null, RanUntil: { } until })
        {
            foreach (var (day, milliseconds) in Metering.Days(from, until))
            {
                var month = new DateOnly(day.Year, day.Month, 1);
                if (!months.Contains(month))
                {
                    months.Add(month);
                }

                metered.Add(new MeteredPart(months.IndexOf(month) + 1, UsageReader.Field(day), milliseconds));
            }
        }

        RedisKey[] keys =
        [
            RecordKey(changed.Organization, changed.Id), allowance + ":live", tag + ":index", EventLog.Key(changed.Organization), $"{tag}:req:{requestId}",
            OpenKey(changed.Organization), allowance + ":running", allowance + ":waiting", tag + ":ended", .. months.Select(month => UsageReader.Key(allowance, month)),
        ];
        var result = (RedisResult[])(await SaveScript.RunAsync(
            redis, keys,
            changed.Id, seen.Version, JsonSerializer.SerializeToUtf8Bytes(changed, RecordJson.Default.SandboxRecord), changed.State.ToString(),
            changed.CreatedAt.ToUnixTimeMilliseconds(), digest, changed is { IsOver: true, CleanedUp: true } ? (long)ledger.Value.KeepFor.TotalSeconds : 0, changed.IsOver ? 1 : 0,
            JsonSerializer.SerializeToUtf8Bytes(account with { Metered = metered }, AccountJson.Default.Account), EventOf(seen, changed), changed.Organization))!;
        var answer = new SaveResult((SaveStatus)(int)result[0], result.Length > 1 && !result[1].IsNull ? (string)result[1]! : "");
        if (answer is { Status: SaveStatus.Saved, Value: { Length: > 0 } first })
        {
            Vacated?.Invoke(changed.Organization, first);
        }

        return answer;
    }

    private string EventOf(Versioned seen, SandboxRecord record) =>
        EventTypes.Between(seen.Version == 0 ? null : seen.Record, record) is { } type ? events.Draft(record.Organization, type, record.Id, EventFacts.Of(record)) : "";

    private static SandboxRecord Parse(RedisValue value) =>
        JsonSerializer.Deserialize((byte[])value!, RecordJson.Default.SandboxRecord)
        ?? throw new InvalidOperationException("A record is empty.");

    /// <summary>The prefix of what belongs to an organisation's plan, or to what it has beside it for machines of its own measure.</summary>
    public static string AllowanceTag(string organization, bool custom) => custom ? Tag(organization) + ":custom" : Tag(organization);

    private static string Tag(string organization) => "{" + organization + "}";

    private static string OpenKey(string organization) => Tag(organization) + ":open";

    private static string RecordKey(string organization, string id) => $"{Tag(organization)}:sbx:{id}";
}
