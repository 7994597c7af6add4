using System.Security.Cryptography;
using System.Text;
using Corral.Hosting;
using Corral.Redis;
using StackExchange.Redis;

namespace Corral.Sessions.Keys;

/// <summary>A key, as it is stored: the key itself is nowhere, only its SHA-256.</summary>
internal sealed record ApiKey(string Organization, string Id, IReadOnlyList<string> Scopes, string Plan, DateTimeOffset? ExpiresAt);

/// <summary>Organisations and their API keys.</summary>
internal sealed class KeyStore(RedisConnection redis, TimeProvider clock)
{
    /// <summary>The operator's key: the one that is in a file of the instance.</summary>
    public const string BootstrapKeyId = "key-bootstrap";

    private const string BootstrapOrganization = "org-bootstrap";
    private const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    /// <summary>Whose key this is; null for an unknown, expired or revoked one.</summary>
    public Task<ApiKey?> FindAsync(ReadOnlyMemory<byte> sha256) => redis.RunAsync(async database =>
    {
        var fields = await database.HashGetAsync(Key(sha256.Span), ["organization", "id", "scopes", "expires", "revoked"]);
        if (fields[0].IsNull || (bool)fields[4])
        {
            return null;
        }

        DateTimeOffset? expires = fields[3].IsNull ? null : DateTimeOffset.FromUnixTimeMilliseconds((long)fields[3]);
        if (expires <= clock.GetUtcNow())
        {
            return null;
        }

        var organization = (string)fields[0]!;
        var scopes = ((string?)fields[2] ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return new ApiKey(organization, (string)fields[1]!, scopes, await PlanAsync(database, organization), expires);
    });

    public Task<string> PlanAsync(string organization) => redis.RunAsync(database => PlanAsync(database, organization));

    /// <summary>Writes down an organisation and its plan.</summary>
    public Task AddOrganizationAsync(string organization, string plan) =>
        redis.RunAsync(database => database.HashSetAsync("organization:" + organization, "plan", plan));

    /// <summary>Writes down a key.</summary>
    public Task AddKeyAsync(string key, ApiKey facts) => redis.RunAsync(async database =>
    {
        List<HashEntry> fields = [new("organization", facts.Organization), new("id", facts.Id), new("scopes", string.Join(' ', facts.Scopes))];
        if (facts.ExpiresAt is { } expires)
        {
            fields.Add(new("expires", expires.ToUnixTimeMilliseconds()));
        }

        await database.HashSetAsync(Key(SHA256.HashData(Encoding.UTF8.GetBytes(key))), [.. fields]);
        return true;
    });

    /// <summary>A new key: <c>br_live_</c> and 32 letters and digits.</summary>
    public static string NewKey() => "br_live_" + RandomNumberGenerator.GetString(Alphabet, 32);

    /// <summary>Makes the first organisation and its key, at every start: the file comes first, so that the key that it holds is always one that works.</summary>
    public async Task BootstrapAsync()
    {
        var path = CorralPaths.BootstrapKey;
        if (!File.Exists(path))
        {
            await WriteNewKeyAsync(path);
        }

        var key = (await File.ReadAllTextAsync(path)).Trim();
        await AddOrganizationAsync(BootstrapOrganization, "scale");
        await AddKeyAsync(key, new ApiKey(BootstrapOrganization, BootstrapKeyId, [], "scale", null));
    }

    // Two replicas may come here at once: each has a file of its own, and the first one's gets the name.
    private static async Task WriteNewKeyAsync(string path)
    {
        var temporary = $"{path}.{Path.GetRandomFileName()}";
        await using (var file = new FileStream(temporary, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
        {
            await file.WriteAsync(Encoding.ASCII.GetBytes(NewKey() + "\n"));
            file.Flush(flushToDisk: true);
        }

        try
        {
            File.Move(temporary, path);
        }
        catch (IOException) when (File.Exists(path))
        {
            File.Delete(temporary);
        }
    }

    private static async Task<string> PlanAsync(IDatabase database, string organization) =>
        (string?)await database.HashGetAsync("organization:" + organization, "plan") ?? "free";

    private static string Key(ReadOnlySpan<byte> sha256) => "key:" + Convert.ToHexStringLower(sha256);
}
