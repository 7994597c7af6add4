using System.Text;
using System.Text.RegularExpressions;
using Corral.Api.V1;
using Corral.Egress.V1;
using Corral.Hosting;
using Corral.Sessions.Records;
using Corral.Sessions.Vault;
using Corral.Tests.Support;
using Grpc.Core;
using Xunit;

namespace Corral.Sessions.Tests;

/// <summary>Secrets: filled in on the way to the node, rotated and revoked wherever they are used, and seen nowhere.</summary>
public sealed partial class VaultTests : SessionsTest
{
    [Fact]
    public async Task ASecretInAHeader_IsFilledInForTheNode()
    {
        await PutAsync("KEY", "value-one");

        var ready = await ReadyAsync(Using("Bearer ${secret:KEY}"));

        Assert.Equal(("Bearer value-one", "KEY", 1L), Header(ready));
        Assert.DoesNotContain("value-one", await AllOfRedisAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnUnknownSecret_IsNamed_WithTheFieldThatNamesIt()
    {
        var error = await RefusedAsync(() => One.CreateAsync(Using("${secret:NOBODY}")));

        Assert.Equal(("network_policy.transforms[0].inject_headers.Authorization", "there is no secret 'NOBODY'"),
            (error.Violations[0].Field, error.Violations[0].Description));
        Assert.Empty(await LiveAsync());
        Assert.Empty(await One.Vault.UsersAsync("org", "NOBODY"));
    }

    [Fact]
    public async Task AnotherOrganisationsSecret_IsUnknown()
    {
        await One.AddOrganizationAsync("other", "pro");
        await PutAsync("KEY", "value");

        Assert.Equal(StatusCode.InvalidArgument, (await RefusedAsync(() => One.CreateAsync(Using("${secret:KEY}"), "other"))).Code);
    }

    [Fact]
    public async Task ANewValue_IsInForceWhenItIsAnswered_InEverySandboxThatUsesIt()
    {
        await PutAsync("KEY", "value-one");
        var users = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => ReadyAsync(Using("${secret:KEY}"))));
        var other = await ReadyAsync(new CreateRequest());

        var facts = await PutAsync("KEY", "value-two");

        Assert.Equal(2, facts.Version);
        Assert.All(users, user => Assert.Equal(("value-two", "KEY", 2L), Header(user)));
        Assert.Equal(1, Told(other).Version);
    }

    [Fact]
    public async Task ARevokedSecret_LeavesAHeaderWithoutAValue()
    {
        await PutAsync("KEY", "value");
        var ready = await ReadyAsync(Using("Bearer ${secret:KEY}"));

        await One.Secrets.RevokeAsync("org", "KEY", TestContext.Current.CancellationToken);

        Assert.Equal(("", "KEY", 0L), Header(ready));
        Assert.Equal(StatusCode.NotFound, (await RefusedAsync(() => One.Secrets.RevokeAsync("org", "KEY", default))).Code);
        Assert.Empty(await One.Vault.NamesAsync("org"));
        Assert.False(await RedisAsync(db => db.HashExistsAsync("{org}:secret:KEY", "sealed")));
    }

    [Fact]
    public async Task AVersion_NeverComesAgain()
    {
        var first = await PutAsync("KEY", "value");
        await One.Secrets.RevokeAsync("org", "KEY", TestContext.Current.CancellationToken);

        Assert.True((await PutAsync("KEY", "value")).Version > first.Version + 1);
    }

    [Fact]
    public async Task AnEnvironmentValue_BecomesAPlaceholder_BoundToItsHost()
    {
        await PutAsync("KEY", "value");
        var ready = await ReadyAsync(new CreateRequest { Env = { ["A"] = "${secret:KEY@api.example.com}", ["B"] = "${secret:KEY@api.example.com}", ["C"] = "plain" } });

        var inside = Fleet.Nodes[0].Environment;
        var placeholder = Told(ready).Placeholders.Single();
        Assert.Matches(Placeholder(), inside["A"]);
        Assert.Equal((inside["A"], "plain", inside["A"]), (inside["B"], inside["C"], placeholder.Text));
        Assert.Equal(("api.example.com", "value", "KEY", 1L), (placeholder.Domain, placeholder.Value, placeholder.Secret.Name, placeholder.Secret.Version));

        await One.Secrets.RevokeAsync("org", "KEY", TestContext.Current.CancellationToken);
        Assert.Equal("", Told(ready).Placeholders.Single().Value);
    }

    [Theory]
    [InlineData("${secret:KEY}")]
    [InlineData("Bearer ${secret:KEY@api.example.com}")]
    [InlineData("${secret:KEY@*.example.com}")]
    public async Task AnEnvironmentValueThatNamesASecretOtherwise_IsRefused(string value)
    {
        await PutAsync("KEY", "value");

        Assert.Equal("env", (await RefusedAsync(() => One.CreateAsync(new CreateRequest { Env = { ["A"] = value } }))).Violations[0].Field);
    }

    [Fact]
    public async Task AProxysPassword_IsFilledInAsAUrlWantsIt_AndARevokedOneLetsNothingOut()
    {
        await PutAsync("PASS", "p@ss:w/rd");
        var ready = await ReadyAsync(new CreateRequest
        {
            Capabilities = new Capabilities { Browser = new BrowserCapability { ByoProxyUrl = "http://user:${secret:PASS}@proxy.example.com:3128" } },
        });
        Assert.Equal("http://user:p%40ss%3Aw%2Frd@proxy.example.com:3128", Told(ready).UpstreamProxy);

        await One.Secrets.RevokeAsync("org", "PASS", TestContext.Current.CancellationToken);

        Assert.Equal((PolicyMode.DenyAll, ""), (Told(ready).Mode, Told(ready).UpstreamProxy));
    }

    [Theory]
    [InlineData("USER", "us:er")]
    [InlineData("PASS", "pass\tword")]
    [InlineData("PASS", null)]
    public async Task AProxysUserOrPasswordThatNoProxyTakes_IsRefusedAtOnce_ThoughItComesFromTheVault(string name, string? value)
    {
        await PutAsync("USER", "user");
        await PutAsync("PASS", "password");
        await PutAsync(name, value ?? new string('x', 256));

        var refusal = await RefusedAsync(() => One.CreateAsync(new CreateRequest
        {
            Capabilities = new Capabilities { Browser = new BrowserCapability { ByoProxyUrl = "http://${secret:USER}:${secret:PASS}@proxy.example.com:3128" } },
        }));

        Assert.Equal("capabilities.browser.byoProxyUrl", refusal.Violations[0].Field);
        Assert.DoesNotContain(value ?? "xx", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AReplicaThatDiesBetweenAValueAndItsUsers_IsFollowedByOneThatTellsThem()
    {
        await PutAsync("KEY", "value-one");
        var ready = await ReadyAsync(Using("${secret:KEY}"));
        await One.Rotations.AnnounceAsync("org", "KEY", 2);
        Assert.Equal(PutStatus.Written, await One.Vault.PutAsync("org", "KEY", 1, "value-two", 10));
        await One.KillAsync();

        Clock.Now += TimeSpan.FromSeconds(100);
        var two = NewReplica();
        await two.WorkAsync();
        await Eventually.Async("the node has the new value", () => Header(ready).Value == "value-two");

        await Eventually.Async("nothing of it is due any more", TimeSpan.FromSeconds(60), async () =>
            (await two.Due.AllAsync()).All(entry => !Rotations.IsRotation(entry.Id)));
    }

    [Fact]
    public async Task AChangeWhileASandboxStarts_IsInForceBeforeItIsReady()
    {
        await PutAsync("KEY", "value-one");
        Fleet.Calls.After = async name =>
        {
            if (name == "start")
            {
                Fleet.Calls.After = _ => Task.CompletedTask;
                await PutAsync("KEY", "value-two");
            }
        };

        Assert.Equal(("value-two", "KEY", 2L), Header(await ReadyAsync(Using("${secret:KEY}"))));
    }

    [Fact]
    public async Task ASandboxThatEnded_OrNoLongerNamesIt_IsNoUser()
    {
        await PutAsync("KEY", "value");
        var ended = await ReadyAsync(Using("${secret:KEY}"));
        var changed = await ReadyAsync(Using("${secret:KEY}"));
        await One.Ender.EndAsync("org", ended.Id, "client");
        await One.UntilAsync(ended.Id, SandboxState.Ended);
        await One.Policies.ReplaceAsync("org", changed.Id, new NetworkPolicy { Mode = "allow-all" }, null);

        Assert.DoesNotContain(ended.Id, await One.Vault.UsersAsync("org", "KEY"));
        Assert.Null(await One.Policies.RefreshAsync("org", changed.Id, "KEY"));
        await One.Ender.EndAsync("org", changed.Id, "client");
        await One.UntilAsync(changed.Id, SandboxState.Ended);
        Assert.Empty(await One.Vault.UsersAsync("org", "KEY"));
    }

    [Fact]
    public async Task ASandboxThatWasRefused_IsNoUser()
    {
        await One.AddOrganizationAsync("small", "free");
        await One.Secrets.PutAsync("small", "KEY", "value", TestContext.Current.CancellationToken);
        var first = await One.CreateAsync(Using("${secret:KEY}"), "small");

        Assert.Equal("CONCURRENT_SANDBOX_LIMIT", (await RefusedAsync(() => One.CreateAsync(Using("${secret:KEY}"), "small"))).Reason);

        Assert.Equal([first.Id], await One.Vault.UsersAsync("small", "KEY"));
    }

    [Theory]
    [InlineData("", "x", "name")]
    [InlineData("1A", "x", "name")]
    [InlineData("A B", "x", "name")]
    [InlineData("A", "", "value")]
    [InlineData("A", " x", "value")]
    [InlineData("A", "x\ny", "value")]
    [InlineData("A", "${secret:B}", "value")]
    public async Task AWrongSecret_IsRefused_WithoutBeingRepeated(string name, string value, string field) =>
        Assert.Equal(field, (await RefusedAsync(() => PutAsync(name, value))).Violations[0].Field);

    [Fact]
    public async Task AValueUnderAnotherKeyOrName_IsNotThere()
    {
        await PutAsync("KEY", "value");
        var box = await RedisAsync(db => db.HashGetAsync("{org}:secret:KEY", "sealed"));
        await RedisAsync(db => db.HashSetAsync("{org}:secret:OTHER", [new("sealed", box), new("version", 1)]).ContinueWith(_ => true, TaskScheduler.Default));

        Assert.Equal(["KEY"], (await One.Vault.ReadAsync("org", ["KEY", "OTHER"])).Keys);
        Assert.DoesNotContain("value", Encoding.Latin1.GetString((byte[])box!), StringComparison.Ordinal);
    }

    [Fact]
    public async Task TwoThatChangeTheSameSecret_BothSucceed_OneAfterTheOther()
    {
        await Task.WhenAll(Enumerable.Range(0, 8).Select(i => PutAsync("KEY", $"value-{i}")));

        Assert.Equal(8, (await One.Vault.FindAsync("org", "KEY"))!.Version);
    }

    private Task<SecretFacts> PutAsync(string name, string value) => One.Secrets.PutAsync("org", name, value, TestContext.Current.CancellationToken);

    private Policy Told(SandboxRecord record) => Fleet.Nodes.Single(node => node.Id == record.NodeId).Policies[record.Id];

    private (string Value, string Secret, long Version) Header(SandboxRecord record)
    {
        var header = Told(record).Transforms.Single().InjectHeaders.Single();
        return (header.Value, header.Secrets.Single().Name, header.Secrets.Single().Version);
    }

    private async Task<SandboxRecord> ReadyAsync(CreateRequest request) =>
        await One.UntilAsync((await One.CreateAsync(request)).Id, SandboxState.Ready);

    private static async Task<RpcErrorInfo> RefusedAsync(Func<Task> call) => RpcErrors.Read(await Assert.ThrowsAsync<RpcException>(call));

    private static CreateRequest Using(string value) => new()
    {
        NetworkPolicy = new NetworkPolicy
        {
            Mode = "custom",
            Transforms = { new NetworkTransform { Domain = "api.example.com", InjectHeaders = { ["Authorization"] = value } } },
        },
    };

    [GeneratedRegex("^corral-secret-[a-z0-9]{32}$")]
    private static partial Regex Placeholder();
}
