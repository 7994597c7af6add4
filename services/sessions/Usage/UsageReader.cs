using System.Globalization;
using Corral.Redis;
using Corral.Sessions.Records;
using StackExchange.Redis;

namespace Corral.Sessions.Usage;

/// <summary>Reads what was metered: <c>Records/save.lua</c> writes it, in the script that ends what it meters.</summary>
internal sealed class UsageReader(RedisConnection redis, TimeProvider clock)
{
    private const string TotalField = "ms";

    /// <summary>What was used in a month, up to now.</summary>
    public async Task<MonthUsage> ReadAsync(string organization, bool custom, DateOnly month)
    {
        var tag = SandboxStore.AllowanceTag(organization, custom);
        var (running, metered) = await ReadBothAsync(tag, month);
        var days = new SortedDictionary<DateOnly, long>();
        foreach (var entry in metered.Where(entry => entry.Name != TotalField))
        {
            Add(month.AddDays((int)entry.Name - 1), (long)entry.Value);
        }

        var (start, end) = (Metering.Start(month), Metering.Start(month.AddMonths(1)));
        var until = clock.GetUtcNow() < end ? clock.GetUtcNow() : end;
        foreach (var entry in running)
        {
            var since = DateTimeOffset.FromUnixTimeMilliseconds((long)entry.Score);
            foreach (var (day, milliseconds) in Metering.Days(since > start ? since : start, until))
            {
                Add(day, milliseconds);
            }
        }

        return new MonthUsage(month, days.Values.Sum(), [.. days.Select(pair => (pair.Key, pair.Value))], running.Length);

        void Add(DateOnly day, long milliseconds) => days[day] = days.GetValueOrDefault(day) + milliseconds;
    }

    /// <summary>Where a month's time is metered.</summary>
    public static RedisKey Key(string allowanceTag, DateOnly month) => $"{allowanceTag}:usage:{month:yyyy-MM}";

    /// <summary>A day's field there.</summary>
    public static string Field(DateOnly day) => day.Day.ToString(CultureInfo.InvariantCulture);

    // In one step: what ends in between would else be in both, or in neither.
    private Task<(SortedSetEntry[] Running, HashEntry[] Metered)> ReadBothAsync(string tag, DateOnly month) => redis.RunAsync(async database =>
    {
        var transaction = database.CreateTransaction();
        var running = transaction.SortedSetRangeByRankWithScoresAsync(tag + ":running");
        var metered = transaction.HashGetAllAsync(Key(tag, month));
        await transaction.ExecuteAsync();
        return (await running, await metered);
    });
}
