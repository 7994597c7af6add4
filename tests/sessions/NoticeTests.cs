using System.Collections.Concurrent;
using Corral.Api.V1;
using Corral.Hosting;
using Corral.Redis;
using Corral.Tests.Support;
using StackExchange.Redis;
using Xunit;

namespace Corral.Sessions.Tests;

/// <summary>Whoever changes what kept answers tell of an organisation says so.</summary>
public sealed class NoticeTests : SessionsTest
{
    private static readonly CallerIdentity Owner = new("org", "key-owner", [], "request");

    private readonly ConcurrentQueue<string> _notices = [];

    [Fact]
    public async Task EachChangeOfASandbox_FromItsCreateToItsEnd_IsToldOf()
    {
        await ListenAsync();

        var id = (await One.CreateAsync()).Id;
        await AllToldAsync(id);
        await One.WorkAsync();
        await One.UntilAsync(id, SandboxState.Ready);
        await AllToldAsync(id);
        await One.Ender.EndAsync("org", id, "client");
        await One.UntilAsync(id, SandboxState.Ended);
        await AllToldAsync(id);
    }

    [Fact]
    public async Task EachChangeOfAKey_IsToldOf()
    {
        await ListenAsync();
        var id = "";

        await ToldAsync("a new key", "org", async () => id = (await One.ApiKeys.CreateAsync(Owner, "reader", ["sandbox_sessions:read"], null)).Facts.Id);
        await ToldAsync("another name", "org", () => One.ApiKeys.ChangeAsync(Owner, id, "other", null, null));
        await ToldAsync("a rotation", "org", async () => id = (await One.ApiKeys.RotateAsync(Owner, id, 1000)).Facts.Id);
        await ToldAsync("a revocation", "org", () => One.ApiKeys.RevokeAsync(Owner, id));
    }

    [Fact]
    public async Task AnotherPlan_IsToldOf()
    {
        await One.AddOrganizationAsync("org-2", "free");
        await ListenAsync();

        await ToldAsync("another plan", "org-2", () => One.Register.ChangeAsync("org-2", null, "pro"));

        Assert.Equal("pro", await One.Organizations.PlanAsync("org-2"));
    }

    private Task ListenAsync() => One.Redis.SubscribeAsync(OrganizationNotices.Channel, _notices.Enqueue);

    // A record's version is the number of its changes.
    private Task AllToldAsync(string id) => Eventually.Async("each change is told of", async () =>
        _notices.Count(notice => notice == "org") == (await One.Store.FindAsync("org", id))!.Version);

    private async Task ToldAsync(string what, string organization, Func<Task> change)
    {
        _notices.Clear();
        await change();

        // What was told of the change was published before this, so that none of it passes for the next one's.
        var mark = $"after {what}";
        await One.Redis.RunAsync(database => database.PublishAsync(RedisChannel.Literal(OrganizationNotices.Channel), mark));
        await Eventually.Async($"{what} is told of", () => _notices.Contains(mark) && _notices.Contains(organization));
    }
}
