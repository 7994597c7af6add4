using System.Security.Cryptography;
using System.Text;
using Corral.Hosting;
using Corral.Sessions.Keys;
using StackExchange.Redis;
using Xunit;

namespace Corral.Sessions.Tests;

/// <summary>API keys: made once, and kept only as their SHA-256.</summary>
public sealed class KeyTests : SessionsTest
{
    [Fact]
    public async Task TheBootstrapKey_IsMadeOnce_HoweverManyReplicasStartAtOnce()
    {
        File.Delete(CorralPaths.BootstrapKey);
        var two = NewReplica();

        await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Task.Run(() => (i % 2 == 0 ? One : two).Keys.BootstrapAsync())));
        var key = (await File.ReadAllTextAsync(CorralPaths.BootstrapKey)).Trim();
        await One.Keys.BootstrapAsync();

        Assert.Matches("^br_live_[A-Za-z0-9]{32}$", key);
        Assert.Equal(key, (await File.ReadAllTextAsync(CorralPaths.BootstrapKey)).Trim());
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(CorralPaths.BootstrapKey));
        Assert.Single(Directory.EnumerateFiles(CorralPaths.Home, "bootstrap.key*"));
        Assert.Single((RedisResult[])(await RedisAsync(db => db.ExecuteAsync("KEYS", "key:*")))!);
        Assert.Equal(("scale", 0), ((await FindAsync(key))!.Plan, (await FindAsync(key))!.Scopes.Count));
    }

    [Fact]
    public async Task OnlyAKeysDigest_IsInRedis()
    {
        var key = KeyStore.NewKey();
        await One.Keys.AddKeyAsync(key, new ApiKey("org", "key-1", ["sandbox_sessions:read"], "pro", null));

        var name = Assert.Single((RedisResult[])(await RedisAsync(db => db.ExecuteAsync("KEYS", "key:*")))!);
        var fields = await RedisAsync(db => db.HashGetAllAsync((string)name!));

        Assert.Equal("key:" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key))), (string)name!);
        Assert.DoesNotContain(key["br_live_".Length..], string.Join(' ', fields), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AKey_HasItsOrganisationsPlanOfNow()
    {
        var key = KeyStore.NewKey();
        await One.Keys.AddKeyAsync(key, new ApiKey("org", "key-1", ["a", "b"], "", null));
        Assert.Equal("pro", (await FindAsync(key))!.Plan);

        await One.Keys.AddOrganizationAsync("org", "scale");

        var found = (await FindAsync(key))!;
        Assert.Equal(("org", "key-1", "scale"), (found.Organization, found.Id, found.Plan));
        Assert.Equal(["a", "b"], found.Scopes);
    }

    [Fact]
    public async Task AnUnknownAnExpiredAndARevokedKey_AreNobodys()
    {
        var (expiring, revoked) = (KeyStore.NewKey(), KeyStore.NewKey());
        await One.Keys.AddKeyAsync(expiring, new ApiKey("org", "key-1", [], "", Clock.Now + TimeSpan.FromMinutes(1)));
        await One.Keys.AddKeyAsync(revoked, new ApiKey("org", "key-2", [], "", null));
        await RedisAsync(db => db.HashSetAsync("key:" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(revoked))), "revoked", "1"));
        Assert.NotNull(await FindAsync(expiring));

        Clock.Now += TimeSpan.FromMinutes(1);

        Assert.Null(await FindAsync(expiring));
        Assert.Null(await FindAsync(revoked));
        Assert.Null(await FindAsync(KeyStore.NewKey()));
    }

    private Task<ApiKey?> FindAsync(string key) => One.Keys.FindAsync(SHA256.HashData(Encoding.UTF8.GetBytes(key)));
}
