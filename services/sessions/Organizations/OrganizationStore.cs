using Corral.Redis;
using StackExchange.Redis;

namespace Corral.Sessions.Organizations;

/// <summary>The organisations, in Redis.</summary>
internal sealed class OrganizationStore(RedisConnection redis)
{
    private const string Index = "organizations";
    private const string DefaultPlan = "free";

    private static readonly RedisScript ChangeScript = RedisScript.Embedded(typeof(OrganizationStore).Assembly, "Organizations.change.lua");

    public Task<string> PlanAsync(string organization) => redis.RunAsync(database => PlanAsync(database, organization));

    public static async Task<string> PlanAsync(IDatabase database, string organization) =>
        (string?)await database.HashGetAsync(Key(organization), "plan") ?? DefaultPlan;

    /// <summary>Writes an organisation down. One that is there already stays as it is.</summary>
    public Task AddAsync(OrganizationFacts facts) => redis.RunAsync(async database =>
    {
        // The index last: what it lists is there.
        var key = Key(facts.Id);
        await Task.WhenAll(
            database.HashSetAsync(key, "name", facts.Name, When.NotExists),
            database.HashSetAsync(key, "plan", facts.Plan, When.NotExists),
            database.HashSetAsync(key, "created", facts.CreatedAt.ToUnixTimeMilliseconds(), When.NotExists));
        return await database.SortedSetAddAsync(Index, facts.Id, facts.CreatedAt.ToUnixTimeMilliseconds(), SortedSetWhen.NotExists);
    });

    /// <summary>Changes what is given.</summary>
    public async Task ChangeAsync(string organization, string? name, string? plan)
    {
        List<RedisValue> fields = [];
        if (name is not null)
        {
            fields.AddRange(["name", name]);
        }

        if (plan is not null)
        {
            fields.AddRange(["plan", plan]);
        }

        if (fields.Count > 0)
        {
            await ChangeScript.RunAsync(redis, [Key(organization)], [organization, .. fields]);
        }
    }

    /// <summary>An organisation; null when there is none.</summary>
    public async Task<OrganizationFacts?> FindAsync(string organization)
    {
        var fields = await redis.RunAsync(database => database.HashGetAsync(Key(organization), ["name", "plan", "created"]));
        return fields[2].IsNull
            ? null
            : new OrganizationFacts(organization, (string?)fields[0] ?? "", (string?)fields[1] ?? DefaultPlan, DateTimeOffset.FromUnixTimeMilliseconds((long)fields[2]));
    }

    /// <summary>Organisations, oldest first, after one of them or from the first; null when there is no such one.</summary>
    public async Task<IReadOnlyList<OrganizationFacts>?> ListAsync(string after, int count)
    {
        var last = after.Length == 0 ? -1 : await redis.RunAsync(database => database.SortedSetRankAsync(Index, after));
        if (last is not { } rank)
        {
            return null;
        }

        var ids = await redis.RunAsync(database => database.SortedSetRangeByRankAsync(Index, rank + 1, rank + count));
        return [.. (await Task.WhenAll(ids.Select(id => FindAsync(id!)))).OfType<OrganizationFacts>()];
    }

    private static RedisKey Key(string organization) => "organization:" + organization;
}
