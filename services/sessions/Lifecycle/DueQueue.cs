using Corral.Redis;
using StackExchange.Redis;

namespace Corral.Sessions.Lifecycle;

/// <summary>What is to be driven, and when: a sorted set. Whoever takes an entry moves it a lease ahead, so that another takes it over if nothing comes of it.</summary>
/// <remarks>Two that drive the same sandbox do no harm: every change of a record is compare and set, and every effect is idempotent by generation.</remarks>
internal sealed class DueQueue(RedisConnection redis, TimeProvider clock)
{
    /// <summary>How long the one who took an entry has it for itself.</summary>
    public static readonly TimeSpan Lease = TimeSpan.FromSeconds(20);

    private const string Key = "due:0";

    private static readonly RedisScript Take = new("""
        -- KEYS 1 due   ARGV 1 now ms  2 lease end ms  3 how many.  Returns the entries taken.
        local taken = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])
        for _, entry in ipairs(taken) do redis.call('ZADD', KEYS[1], ARGV[2], entry) end
        return taken
        """);

    public Task ScheduleAsync(string organization, string id, TimeSpan after) => ScheduleAsync(organization, id, clock.GetUtcNow() + after);

    public Task ScheduleAsync(string organization, string id, DateTimeOffset at) =>
        redis.RunAsync(database => database.SortedSetAddAsync(Key, Entry(organization, id), at.ToUnixTimeMilliseconds()));

    public Task ForgetAsync(string organization, string id) =>
        redis.RunAsync(database => database.SortedSetRemoveAsync(Key, Entry(organization, id)));

    public async Task<IReadOnlyList<(string Organization, string Id)>> TakeAsync(int count)
    {
        var now = clock.GetUtcNow();
        var taken = (RedisResult[])(await Take.RunAsync(redis, [Key], now.ToUnixTimeMilliseconds(), (now + Lease).ToUnixTimeMilliseconds(), count))!;
        return [.. taken.Select(entry => ((string)entry!).Split('|', 2)).Select(parts => (parts[0], parts[1]))];
    }

    private static string Entry(string organization, string id) => organization + "|" + id;
}
