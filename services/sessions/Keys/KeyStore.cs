using Corral.Redis;
using Corral.Sessions.Organizations;
using StackExchange.Redis;

namespace Corral.Sessions.Keys;

/// <summary>What became of a change.</summary>
internal enum KeyChange
{
    Made = 1,
    Revoked = 2,
    NotThere = 3,
    TooMany = 4,
}

/// <summary>The keys, in Redis. A key's digest leads to its organisation and its id, and never changes; what does lies with the organisation.</summary>
internal sealed class KeyStore(RedisConnection redis, TimeProvider clock)
{
    /// <summary>The operator's key: the one that is in a file of the instance.</summary>
    public const string BootstrapKeyId = "key-bootstrap";

    private static readonly TimeSpan KeptRevoked = TimeSpan.FromDays(30);
    private static readonly RedisScript AddScript = RedisScript.Embedded(typeof(KeyStore).Assembly, "Keys.add.lua");
    private static readonly RedisScript ChangeScript = RedisScript.Embedded(typeof(KeyStore).Assembly, "Keys.change.lua");
    private static readonly RedisValue[] FactNames = ["name", "hint", "scopes", "created", "expires", "revoked"];

    /// <summary>Whose key this is; null for an unknown, expired or revoked one.</summary>
    public Task<ApiKey?> FindAsync(ReadOnlyMemory<byte> sha256) => redis.RunAsync(async database =>
    {
        var owner = await database.HashGetAsync(DigestKey(sha256.Span), ["organization", "id"]);
        return owner[0].IsNull ? null : await FindGoodAsync(database, (string)owner[0]!, (string)owner[1]!);
    });

    /// <summary>The same by the key's id.</summary>
    public Task<ApiKey?> FindGoodAsync(string organization, string id) => redis.RunAsync(database => FindGoodAsync(database, organization, id));

    /// <summary>What may be told of an organisation's key; null when there is none.</summary>
    public async Task<KeyFacts?> FindAsync(string organization, string id) =>
        Parse(id, await redis.RunAsync(database => database.HashGetAsync(FactsKey(organization, id), FactNames)));

    /// <summary>All keys of an organisation, oldest first. Forgets those whose time to be told of is over.</summary>
    public async Task<IReadOnlyList<KeyFacts>> ListAsync(string organization)
    {
        var ids = await redis.RunAsync(database => database.SortedSetRangeByRankAsync(IndexKey(organization)));
        var found = await Task.WhenAll(ids.Select(id => FindAsync(organization, id!)));
        var gone = ids.Where((_, i) => found[i] is null).ToArray();
        if (gone.Length > 0)
        {
            await redis.RunAsync(database => database.SortedSetRemoveAsync(IndexKey(organization), gone));
        }

        return [.. found.OfType<KeyFacts>()];
    }

    /// <summary>Writes a new key down, unless there are as many as there may be.</summary>
    public async Task<KeyChange> AddAsync(string organization, string text, KeyFacts facts, int most)
    {
        // A digest that leads nowhere is nobody's key.
        var digest = Convert.ToHexStringLower(KeyText.Digest(text));
        await redis.RunAsync(async database =>
        {
            await database.HashSetAsync("key:" + digest, [new("organization", organization), new("id", facts.Id)]);
            return true;
        });
        var outcome = (KeyChange)(int)await AddScript.RunAsync(
            redis, [FactsKey(organization, facts.Id), IndexKey(organization)],
            facts.Id, Milliseconds(facts.CreatedAt), most, digest, facts.Name, facts.Hint, Text(facts.Scopes), facts.ExpiresAt is { } expires ? Milliseconds(expires) : "",
            organization);
        if (outcome != KeyChange.Made)
        {
            await redis.RunAsync(database => database.KeyDeleteAsync("key:" + digest));
        }

        return outcome;
    }

    /// <summary>Changes what is given of a key that was not revoked.</summary>
    public Task<KeyChange> ChangeAsync(string organization, string id, string? name, IReadOnlyList<string>? scopes, DateTimeOffset? expiresAt)
    {
        List<RedisValue> fields = [];
        if (name is not null)
        {
            fields.AddRange(["name", name]);
        }

        if (scopes is not null)
        {
            fields.AddRange(["scopes", Text(scopes)]);
        }

        if (expiresAt is { } expires)
        {
            fields.AddRange(["expires", Milliseconds(expires)]);
        }

        return ChangeAsync(organization, id, TimeSpan.Zero, fields);
    }

    /// <summary>Revokes a key. It is told of for a while yet.</summary>
    public Task<KeyChange> RevokeAsync(string organization, string id) =>
        LetGoAsync(organization, id, KeptRevoked, ["revoked", Milliseconds(clock.GetUtcNow())]);

    /// <summary>Lets a key expire that another has replaced. It is told of for a while after that.</summary>
    public Task<KeyChange> RetireAsync(string organization, string id, DateTimeOffset until) =>
        LetGoAsync(organization, id, until - clock.GetUtcNow() + KeptRevoked, ["expires", Milliseconds(until)]);

    private async Task<ApiKey?> FindGoodAsync(IDatabase database, string organization, string id)
    {
        var reading = database.HashGetAsync(FactsKey(organization, id), FactNames);
        var plan = await OrganizationStore.PlanAsync(database, organization);
        return Parse(id, await reading) is { RevokedAt: null } facts && !(facts.ExpiresAt <= clock.GetUtcNow())
            ? new ApiKey(organization, id, facts.Scopes, plan, facts.ExpiresAt)
            : null;
    }

    private async Task<KeyChange> LetGoAsync(string organization, string id, TimeSpan keptFor, List<RedisValue> fields)
    {
        var outcome = await ChangeAsync(organization, id, keptFor, fields);
        if (outcome == KeyChange.Made)
        {
            var digest = await redis.RunAsync(database => database.HashGetAsync(FactsKey(organization, id), "digest"));
            await redis.RunAsync(database => database.KeyExpireAsync("key:" + digest, keptFor));
        }

        return outcome;
    }

    private async Task<KeyChange> ChangeAsync(string organization, string id, TimeSpan keptFor, List<RedisValue> fields) =>
        (KeyChange)(int)await ChangeScript.RunAsync(redis, [FactsKey(organization, id)], [(long)keptFor.TotalSeconds, organization, .. fields]);

    private static KeyFacts? Parse(string id, RedisValue[] fields) => fields[3].IsNull
        ? null
        : new KeyFacts(
            id, (string?)fields[0] ?? "", (string?)fields[1] ?? "", ((string?)fields[2] ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries),
            DateTimeOffset.FromUnixTimeMilliseconds((long)fields[3]), Time(fields[4]), Time(fields[5]));

    private static DateTimeOffset? Time(RedisValue milliseconds) => milliseconds.IsNull ? null : DateTimeOffset.FromUnixTimeMilliseconds((long)milliseconds);

    private static RedisValue Milliseconds(DateTimeOffset time) => time.ToUnixTimeMilliseconds();

    private static RedisValue Text(IReadOnlyList<string> scopes) => string.Join(' ', scopes);

    private static RedisKey DigestKey(ReadOnlySpan<byte> sha256) => "key:" + Convert.ToHexStringLower(sha256);

    private static RedisKey FactsKey(string organization, string id) => "{" + organization + "}:key:" + id;

    private static RedisKey IndexKey(string organization) => "{" + organization + "}:keys";
}
