using Corral.Redis;
using StackExchange.Redis;

namespace Corral.Sessions.Lifecycle;

/// <summary>What is to be driven, and when: a sorted set. Whoever takes an entry moves it a lease ahead, so that another takes it over if nothing comes of it.</summary>
/// <remarks>
/// Two that drive the same sandbox do no harm: every change of a record is compare and set, and every effect is idempotent by generation.
/// But one that comes to rest must not put off what another is just changing. So whoever changes a record announces the version that it
/// will have, and whoever comes to rest names the version that it saw: the entry stays due while a later one is announced.
/// </remarks>
internal sealed class DueQueue(RedisConnection redis, TimeProvider clock)
{
    /// <summary>How long the one who took an entry has it for itself.</summary>
    public static readonly TimeSpan Lease = TimeSpan.FromSeconds(20);

    private const string Due = "{due:0}";
    private const string Announced = "{due:0}:announced";

    private static readonly RedisScript TakeScript = RedisScript.Embedded(typeof(DueQueue).Assembly, "take.lua");
    private static readonly RedisScript AnnounceScript = RedisScript.Embedded(typeof(DueQueue).Assembly, "announce.lua");
    private static readonly RedisScript RestScript = RedisScript.Embedded(typeof(DueQueue).Assembly, "rest.lua");

    /// <summary>Says that a record is about to be changed to this version: it is looked at after the lease, whatever comes of it.</summary>
    public Task AnnounceAsync(string organization, string id, long version) =>
        AnnounceScript.RunAsync(redis, [Due, Announced], Entry(organization, id), In(Lease), version);

    /// <summary>Keeps an entry for longer than the lease.</summary>
    public Task KeepAsync(string organization, string id, TimeSpan time) =>
        redis.RunAsync(database => database.SortedSetAddAsync(Due, Entry(organization, id), In(time)));

    /// <summary>Says that a record of this version has nothing to do until then, or for ever.</summary>
    public Task RestAsync(string organization, string id, long version, DateTimeOffset? dueAt) =>
        RestScript.RunAsync(redis, [Due, Announced], Entry(organization, id), version, dueAt is { } at ? at.ToUnixTimeMilliseconds() : "");

    /// <summary>Takes back the announcement of a record that was never written.</summary>
    public Task ForgetAsync(string organization, string id) => RestAsync(organization, id, long.MaxValue, null);

    /// <summary>Takes entries that are due.</summary>
    public async Task<IReadOnlyList<(string Organization, string Id)>> TakeAsync(int count) =>
        Parse((RedisValue[])(await TakeScript.RunAsync(redis, [Due, Announced], In(TimeSpan.Zero), In(Lease), count))!);

    /// <summary>All entries: every sandbox that is not over has one.</summary>
    public async Task<IReadOnlyList<(string Organization, string Id)>> AllAsync() =>
        Parse(await redis.RunAsync(database => database.SortedSetRangeByRankAsync(Due)));

    private long In(TimeSpan time) => (clock.GetUtcNow() + time).ToUnixTimeMilliseconds();

    private static string Entry(string organization, string id) => organization + "|" + id;

    private static (string, string)[] Parse(RedisValue[] entries) =>
        [.. entries.Select(entry => ((string)entry!).Split('|', 2)).Select(parts => (parts[0], parts[1]))];
}
