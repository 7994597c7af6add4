using System.Text;
using Corral.Redis;
using Corral.Sessions.Records;
using StackExchange.Redis;

namespace Corral.Sessions.Vault;

/// <summary>A secret's value. Never logged, never answered.</summary>
internal sealed record SecretValue(string Value, long Version);

/// <summary>What may be told of a secret.</summary>
internal sealed record SecretFacts(string Name, long Version, DateTimeOffset CreatedAt, DateTimeOffset UpdatedAt);

/// <summary>What became of a write.</summary>
internal enum PutStatus
{
    Written = 1,
    Conflict = 2,
    TooMany = 3,
    NotThere = 4,
}

/// <summary>The vault, in Redis: values are sealed, each bound to its organisation, name and version.</summary>
/// <remarks>
/// Who uses a secret is noted before the record that names it is written, and forgotten after the sandbox is over: the users are a superset,
/// and whoever reads them looks at the records.
/// </remarks>
internal sealed class SecretStore(RedisConnection redis, Secrets secrets, TimeProvider clock)
{
    private static readonly RedisScript PutScript = RedisScript.Embedded(typeof(SecretStore).Assembly, "put.lua");

    /// <summary>The version that a name is at; 0 when it never was.</summary>
    public async Task<long> VersionAsync(string organization, string name) =>
        (long)await redis.RunAsync(database => database.HashGetAsync(Key(organization, name), "version"));

    /// <summary>Writes the value of the version after the one that was seen.</summary>
    public Task<PutStatus> PutAsync(string organization, string name, long seen, string value, int most) =>
        RunAsync(organization, name, seen, secrets.SealBytes(Context(organization, name, seen + 1), Encoding.UTF8.GetBytes(value)), most);

    /// <summary>Revokes a secret: its value is gone, its version goes on.</summary>
    public Task<PutStatus> RevokeAsync(string organization, string name, long seen) => RunAsync(organization, name, seen, [], 0);

    /// <summary>The values of those that are there. One that was sealed under another key is not.</summary>
    public Task<Dictionary<string, SecretValue>> ReadAsync(string organization, IReadOnlyList<string> names) => redis.RunAsync(async database =>
    {
        var found = await Task.WhenAll(names.Select(name => database.HashGetAsync(Key(organization, name), ["sealed", "version"])));
        var values = new Dictionary<string, SecretValue>(StringComparer.Ordinal);
        foreach (var (name, fields) in names.Zip(found))
        {
            if (!fields[0].IsNull && secrets.OpenBytes(Context(organization, name, (long)fields[1]), (byte[])fields[0]!) is { } value)
            {
                values[name] = new SecretValue(Encoding.UTF8.GetString(value), (long)fields[1]);
            }
        }

        return values;
    });

    /// <summary>What may be told of a secret; null when there is none.</summary>
    public Task<SecretFacts?> FindAsync(string organization, string name) => redis.RunAsync(async database =>
    {
        var fields = await database.HashGetAsync(Key(organization, name), ["version", "created", "updated", "sealed"]);
        return fields[3].IsNull ? null : new SecretFacts(name, (long)fields[0], Time(fields[1]), Time(fields[2]));
    });

    /// <summary>The names of the secrets that have a value, in order.</summary>
    public async Task<IReadOnlyList<string>> NamesAsync(string organization) =>
        [.. (await redis.RunAsync(database => database.SetMembersAsync(Tag(organization) + ":secrets"))).Select(name => (string)name!).Order(StringComparer.Ordinal)];

    /// <summary>Notes a sandbox as a user of secrets.</summary>
    public Task AddUserAsync(string organization, IReadOnlyList<string> names, string sandboxId) =>
        redis.RunAsync(database => Task.WhenAll(names.Select(name => database.SetAddAsync(Users(organization, name), sandboxId))));

    /// <summary>Forgets a sandbox that is over.</summary>
    public Task RemoveUserAsync(string organization, IReadOnlyList<string> names, string sandboxId) =>
        redis.RunAsync(database => Task.WhenAll(names.Select(name => database.SetRemoveAsync(Users(organization, name), sandboxId))));

    /// <summary>Sandboxes that may use a secret.</summary>
    public async Task<IReadOnlyList<string>> UsersAsync(string organization, string name) =>
        [.. (await redis.RunAsync(database => database.SetMembersAsync(Users(organization, name)))).Select(id => (string)id!)];

    private async Task<PutStatus> RunAsync(string organization, string name, long seen, byte[] box, int most)
    {
        RedisKey[] keys = [Key(organization, name), Tag(organization) + ":secrets"];
        return (PutStatus)(int)await PutScript.RunAsync(redis, keys, seen, name, box, clock.GetUtcNow().ToUnixTimeMilliseconds(), most);
    }

    private static DateTimeOffset Time(RedisValue milliseconds) => DateTimeOffset.FromUnixTimeMilliseconds((long)milliseconds);

    private static string Context(string organization, string name, long version) => $"secret:{organization}:{name}:{version}";

    private static string Tag(string organization) => "{" + organization + "}";

    private static RedisKey Key(string organization, string name) => $"{Tag(organization)}:secret:{name}";

    private static RedisKey Users(string organization, string name) => $"{Tag(organization)}:secret-users:{name}";
}
