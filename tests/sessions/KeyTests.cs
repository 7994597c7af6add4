using System.Security.Cryptography;
using System.Text;
using Corral.Hosting;
using Corral.Sessions.Keys;
using Grpc.Core;
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

        await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Task.Run(() => (i % 2 == 0 ? One : two).Bootstrap.EnsureAsync())));
        var key = (await File.ReadAllTextAsync(CorralPaths.BootstrapKey)).Trim();
        await One.Bootstrap.EnsureAsync();

        Assert.Matches("^br_live_[A-Za-z0-9]{32}$", key);
        Assert.Equal(key, (await File.ReadAllTextAsync(CorralPaths.BootstrapKey)).Trim());
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(CorralPaths.BootstrapKey));
        Assert.Single(Directory.EnumerateFiles(CorralPaths.Home, "bootstrap.key*"));
        Assert.Single((RedisResult[])(await RedisAsync(db => db.ExecuteAsync("KEYS", "key:*")))!);
        Assert.Equal(("scale", 0), ((await FindAsync(key))!.Plan, (await FindAsync(key))!.Scopes.Count));
    }

    [Fact]
    public async Task ThePlanThatTheOperatorGaveItself_StaysAtTheNextStart()
    {
        await One.Bootstrap.EnsureAsync();
        await One.Register.ChangeAsync("org-bootstrap", "ours", "builder");

        await One.Bootstrap.EnsureAsync();

        var facts = (await One.Organizations.FindAsync("org-bootstrap"))!;
        Assert.Equal(("ours", "builder"), (facts.Name, facts.Plan));
    }

    [Fact]
    public async Task OnlyAKeysDigest_IsInRedis()
    {
        var (facts, key) = await One.ApiKeys.CreateAsync(Owner, "reader", ["sandbox_sessions:read"], null);

        var all = await AllOfRedisAsync();

        Assert.Contains(Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key))), all, StringComparison.Ordinal);
        Assert.DoesNotContain(key["br_live_".Length..], all, StringComparison.Ordinal);
        Assert.Equal(key[^4..], facts.Hint);
    }

    [Fact]
    public async Task AKey_HasItsOrganisationsPlanOfNow()
    {
        var (facts, key) = await One.ApiKeys.CreateAsync(Owner, "both", ["sandbox_sessions:read", "org:billing"], null);
        Assert.Equal("pro", (await FindAsync(key))!.Plan);

        await One.Register.ChangeAsync("org", null, "scale");

        var found = (await FindAsync(key))!;
        Assert.Equal(("org", facts.Id, "scale"), (found.Organization, found.Id, found.Plan));
        Assert.Equal(["org:billing", "sandbox_sessions:read"], found.Scopes);
    }

    [Fact]
    public async Task AnUnknownAnExpiredAndARevokedKey_AreNobodys()
    {
        var (_, expiring) = await One.ApiKeys.CreateAsync(Owner, "expiring", [], 60_000);
        var (revoking, revoked) = await One.ApiKeys.CreateAsync(Owner, "revoked", [], null);
        Assert.NotNull(await FindAsync(expiring));
        Assert.NotNull(await FindAsync(revoked));

        await One.ApiKeys.RevokeAsync(Owner, revoking.Id);
        await One.ApiKeys.RevokeAsync(Owner, revoking.Id);
        Clock.Now += TimeSpan.FromMinutes(1);

        Assert.Null(await FindAsync(expiring));
        Assert.Null(await FindAsync(revoked));
        Assert.Null(await FindAsync(KeyText.New()));
        var listed = await One.Keys.ListAsync("org");
        Assert.Equal(["expiring", "revoked"], listed.Select(k => k.Name).Order());
        Assert.Equal(revoking.Id, Assert.Single(listed, k => k.RevokedAt is not null).Id);
    }

    [Fact]
    public async Task ByItsId_AKeyIsGoodForItsOwnOrganisation_AsLongAsItsTextIs()
    {
        var (facts, key) = await One.ApiKeys.CreateAsync(Owner, "named", ["org:billing"], 60_000);
        var (revoked, _) = await One.ApiKeys.CreateAsync(Owner, "revoked", [], null);

        await One.ApiKeys.RevokeAsync(Owner, revoked.Id);

        Assert.Equivalent(await FindAsync(key), await One.Keys.FindGoodAsync("org", facts.Id));
        Assert.Null(await One.Keys.FindGoodAsync("org", revoked.Id));
        Assert.Null(await One.Keys.FindGoodAsync("other", facts.Id));
        Assert.Null(await One.Keys.FindGoodAsync("org", Ids.New("key-")));
        Clock.Now += TimeSpan.FromMinutes(1);
        Assert.Null(await One.Keys.FindGoodAsync("org", facts.Id));
    }

    [Fact]
    public async Task ARevokedKey_StaysRevoked_WhateverIsChangedOfItMeanwhile()
    {
        var (facts, key) = await One.ApiKeys.CreateAsync(Owner, "raced", [], null);

        await Task.WhenAll(
            One.ApiKeys.RevokeAsync(Owner, facts.Id),
            ChangeAsync(), ChangeAsync(), ChangeAsync());

        Assert.Null(await FindAsync(key));
        var error = await Assert.ThrowsAsync<RpcException>(() => One.ApiKeys.ChangeAsync(Owner, facts.Id, "again", null, null));
        Assert.Equal("API_KEY_REVOKED", RpcErrors.Read(error).Reason);

        async Task ChangeAsync()
        {
            try
            {
                await One.ApiKeys.ChangeAsync(Owner, facts.Id, "other", ["org:billing"], 3_600_000);
            }
            catch (RpcException exception) when (RpcErrors.Read(exception).Reason == "API_KEY_REVOKED")
            {
                // It came too late.
            }
        }
    }

    [Fact]
    public async Task AChangedKey_MayDoWhatItsScopesSay_AndWorksAsLongAsItIsTold()
    {
        var (facts, key) = await One.ApiKeys.CreateAsync(Owner, "wide", [], null);

        await One.ApiKeys.ChangeAsync(Owner, facts.Id, "narrow", ["org:billing"], 60_000);

        var found = (await FindAsync(key))!;
        Assert.Equal(["org:billing"], found.Scopes);
        Assert.Equal(60_000, (found.ExpiresAt!.Value - Clock.Now).TotalMilliseconds, 1.0);
        await One.ApiKeys.ChangeAsync(Owner, facts.Id, null, null, 0);
        Assert.Null(await FindAsync(key));
    }

    [Fact]
    public async Task ARotatedKey_WorksForTheOverlap_AndItsSuccessorAfterwards()
    {
        var (atOnce, first) = await One.ApiKeys.CreateAsync(Owner, "a", ["org:billing"], null);
        var (later, second) = await One.ApiKeys.CreateAsync(Owner, "b", [], null);

        var (_, afterFirst) = await One.ApiKeys.RotateAsync(Owner, atOnce.Id, 0);
        var (_, afterSecond) = await One.ApiKeys.RotateAsync(Owner, later.Id, 60_000);

        Assert.Null(await FindAsync(first));
        Assert.Equal(["org:billing"], (await FindAsync(afterFirst))!.Scopes);
        Assert.NotNull(await FindAsync(second));
        Clock.Now += TimeSpan.FromMinutes(1);
        Assert.Null(await FindAsync(second));
        Assert.NotNull(await FindAsync(afterSecond));
    }

    [Fact]
    public async Task AReplacedKey_IsToldOfFor30Days_AndCountsNoMoreThen()
    {
        var (replaced, _) = await One.ApiKeys.CreateAsync(Owner, "a", [], null);

        await One.ApiKeys.RotateAsync(Owner, replaced.Id, 60_000);

        var kept = await RedisAsync(db => db.KeyTimeToLiveAsync($"{{org}}:key:{replaced.Id}"));
        Assert.InRange(kept!.Value, TimeSpan.FromDays(30), TimeSpan.FromDays(30) + TimeSpan.FromMinutes(1));
        for (var i = 2; i < 200; i++)
        {
            await One.ApiKeys.CreateAsync(Owner, "more", [], null);
        }

        Assert.Equal("API_KEY_LIMIT", await ReasonAsync(() => One.ApiKeys.CreateAsync(Owner, "one too many", [], null)));
        await RedisAsync(db => db.KeyDeleteAsync($"{{org}}:key:{replaced.Id}"));
        await One.ApiKeys.CreateAsync(Owner, "the last", [], null);
    }

    [Fact]
    public async Task AKeyWithScopes_GivesNoneThatItHasNot_AndTakesNoneOver()
    {
        var narrow = Owner with { Scopes = ["api_keys:manage", "sandbox_sessions:read"] };
        var (strong, _) = await One.ApiKeys.CreateAsync(Owner, "strong", [], null);

        await One.ApiKeys.CreateAsync(narrow, "as narrow", ["sandbox_sessions:read"], null);

        Assert.Equal("PERMISSION_DENIED", await ReasonAsync(() => One.ApiKeys.CreateAsync(narrow, "wider", ["sandbox_sessions:create"], null)));
        Assert.Equal("PERMISSION_DENIED", await ReasonAsync(() => One.ApiKeys.CreateAsync(narrow, "everything", [], null)));
        Assert.Equal("PERMISSION_DENIED", await ReasonAsync(() => One.ApiKeys.RotateAsync(narrow, strong.Id, 0)));
        Assert.Equal("PERMISSION_DENIED", await ReasonAsync(() => One.ApiKeys.ChangeAsync(narrow, strong.Id, "mine", null, null)));
        Assert.Equal("PERMISSION_DENIED", await ReasonAsync(() => One.ApiKeys.RevokeAsync(narrow, strong.Id)));
    }

    [Fact]
    public async Task AnotherOrganisationsKey_IsNotFound()
    {
        var (facts, key) = await One.ApiKeys.CreateAsync(Owner, "ours", [], null);
        var stranger = Owner with { OrganizationId = "other" };

        Assert.Equal("API_KEY_NOT_FOUND", await ReasonAsync(() => One.ApiKeys.FindAsync(stranger, facts.Id)));
        Assert.Equal("API_KEY_NOT_FOUND", await ReasonAsync(() => One.ApiKeys.ChangeAsync(stranger, facts.Id, "x", null, null)));
        Assert.Equal("API_KEY_NOT_FOUND", await ReasonAsync(() => One.ApiKeys.RotateAsync(stranger, facts.Id, 0)));
        Assert.Equal("API_KEY_NOT_FOUND", await ReasonAsync(() => One.ApiKeys.RevokeAsync(stranger, facts.Id)));
        Assert.NotNull(await FindAsync(key));
    }

    [Theory]
    [InlineData("operator:everything")]
    [InlineData("organizations:manage")]
    [InlineData("")]
    public async Task AScopeThatNobodyIsGiven_IsRefusedByName(string scope)
    {
        var error = await Assert.ThrowsAsync<RpcException>(() => One.ApiKeys.CreateAsync(Owner, "k", [scope], null));

        Assert.Equal("scopes", Assert.Single(RpcErrors.Read(error).Violations).Field);
    }

    [Fact]
    public async Task TheOperatorsKey_IsNotChangedOverTheApi()
    {
        await One.Bootstrap.EnsureAsync();
        var operators = new CallerIdentity("org-bootstrap", "key-bootstrap", [], "r");

        Assert.Equal("OPERATOR_KEY", await ReasonAsync(() => One.ApiKeys.RevokeAsync(operators, "key-bootstrap")));
        Assert.Equal("OPERATOR_KEY", await ReasonAsync(() => One.ApiKeys.RotateAsync(operators, "key-bootstrap", 0)));
        Assert.Equal("OPERATOR_KEY", await ReasonAsync(() => One.ApiKeys.ChangeAsync(operators, "key-bootstrap", null, null, 0)));
    }

    [Fact]
    public async Task AnOrganisation_IsMadeWithAPlanAndAKey_AndListedInOrder()
    {
        var (first, _, key) = await One.Register.CreateAsync(" Acme ", "builder");
        Clock.Now += TimeSpan.FromSeconds(1);
        var (second, _, _) = await One.Register.CreateAsync("Beta", null);

        Assert.Equal(("Acme", "builder"), (first.Name, first.Plan));
        Assert.Equal((first.Id, "builder", 0), ((await FindAsync(key))!.Organization, (await FindAsync(key))!.Plan, (await FindAsync(key))!.Scopes.Count));
        Assert.Equal("free", second.Plan);
        Assert.Equal([first.Id, second.Id], (await One.Register.ListAsync("org", 10)).Select(o => o.Id));
        Assert.Equal([second.Id], (await One.Register.ListAsync(first.Id, 10)).Select(o => o.Id));
        Assert.Equal("ORGANIZATION_NOT_FOUND", await ReasonAsync(() => One.Register.ChangeAsync("org-nobodys", null, "pro")));
        Assert.Equal("INVALID_ARGUMENT", await ReasonAsync(() => One.Register.ChangeAsync(first.Id, null, "platinum")));
    }

    private static CallerIdentity Owner => new("org", "key-owner", [], "request");

    private static async Task<string> ReasonAsync(Func<Task> call) => RpcErrors.Read(await Assert.ThrowsAsync<RpcException>(call)).Reason;

    private Task<ApiKey?> FindAsync(string key) => One.Keys.FindAsync(SHA256.HashData(Encoding.UTF8.GetBytes(key)));
}
