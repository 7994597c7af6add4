using System.Net;
using Corral.Api.V1;
using Corral.Gateway.Routing;
using Corral.Hosting;
using Corral.Redis;
using Corral.Tests.Support;
using Grpc.Core;
using StackExchange.Redis;
using Xunit;

namespace Corral.Gateway.Tests;

/// <summary>Answers that two gateways keep, and forget. Time stands still but where a test moves it: what is forgotten is so for another reason.</summary>
public sealed class KeptAnswerTests : LimitedGateways
{
    private const string List = "/v1/sandboxes";
    private const string One = "/v1/sandboxes?id=sbx-a";
    private const string InLeap = "/v1/sandbox/sbx-a";
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(1);

    private readonly ManualClock _clock = new();

    protected override TimeProvider Clock => _clock;

    protected override Dictionary<string, string?> Settings => new()
    {
        // None comes back while a test runs, and there are enough.
        ["RateLimits:Read:PerMinute"] = "1",
        ["RateLimits:Read:Burst"] = "10000",
        ["RateLimits:Other:PerMinute"] = "1",
        ["RateLimits:Other:Burst"] = "10000",
    };

    [Theory]
    [InlineData(List)]
    [InlineData(One)]
    [InlineData(InLeap)]
    [InlineData("/v1/api-keys")]
    public async Task AnAnswerThatIsKept_IsToldAgain_WithoutSessionsBeingAsked(string path)
    {
        var first = await KeptAsync(path);
        var reads = Upstream.Reads;

        using var again = await SendAsync(HttpMethod.Get, path);

        Assert.Equal((HttpStatusCode.OK, reads), (again.StatusCode, Upstream.Reads));
        Assert.Equal(await first.Content.ReadAsStringAsync(), await again.Content.ReadAsStringAsync());
        Assert.Equal(first.Content.Headers.ToString(), again.Content.Headers.ToString());
    }

    [Fact]
    public async Task EachRequest_HasAnIdOfItsOwn_AndIsCounted_ThoughTheAnswerIsKept()
    {
        var first = await KeptAsync(List);

        using var again = await SendAsync(HttpMethod.Get, List);

        Assert.NotEqual(Header(first, "X-Request-Id"), Header(again, "X-Request-Id"));
        Assert.Equal(int.Parse(Header(first, "RateLimit-Remaining")) - 1, int.Parse(Header(again, "RateLimit-Remaining")));
    }

    [Fact]
    public async Task AfterASecond_SessionsIsAskedAgain()
    {
        await KeptAsync(List);
        var reads = Upstream.Reads;

        _clock.Advance(TimeSpan.FromSeconds(1) - Moment);
        await ReadAsync(List);
        var before = Upstream.Reads;
        _clock.Advance(Moment);
        await ReadAsync(List);

        Assert.Equal((reads, reads + 1), (before, Upstream.Reads));
    }

    [Theory]
    [InlineData("POST", "/v1/sandboxes")]
    [InlineData("DELETE", "/v1/sandboxes?id=sbx-a")]
    [InlineData("DELETE", "/v1/sandbox/sbx-a")]
    [InlineData("DELETE", "/v1/api-keys?id=key-2")]
    public async Task WhoeverWrote_ReadsItAtOnce(string verb, string path)
    {
        foreach (var read in new[] { List, One, InLeap })
        {
            await KeptAsync(read);
            Upstream.Told = id => Task.FromResult(new Sandbox { SandboxId = id, State = SandboxState.Ending, Shape = new MachineShape() });

            using var written = await SendAsync(new HttpMethod(verb), path, verb == "POST" ? "{}" : null);
            var seen = await ReadAsync(read);

            Assert.True(written.IsSuccessStatusCode);
            Assert.Matches("ending|deleting", seen);
            Upstream.Told = LimitedUpstream.Ready;
        }
    }

    [Fact]
    public async Task WhoeverWroteInVain_MayHaveWrittenAllTheSame()
    {
        await KeptAsync(List);
        var reads = Upstream.Reads;
        Upstream.After = () => throw RpcErrors.Unavailable("LOST", "The answer is lost.", TimeSpan.FromSeconds(1));

        using var lost = await SendAsync(HttpMethod.Post, "/v1/sandboxes", "{}");
        await ReadAsync(List);

        Assert.Equal((HttpStatusCode.ServiceUnavailable, reads + 1), (lost.StatusCode, Upstream.Reads));
    }

    [Fact]
    public async Task WhoeverWroteNatively_ReadsItAtOnce_AndWhoeverReadForgetsNothing()
    {
        // The native face is the last gateway's.
        const int Replica = 1;
        using var channel = ChannelPool.Open(Native);
        var sandboxes = new SandboxService.SandboxServiceClient(channel);
        var headers = new Metadata { { "authorization", "Bearer " + LimitedUpstream.Key } };
        await KeptAsync(One, Replica);

        await sandboxes.ListAsync(new ListRequest(), headers);
        await sandboxes.GetAsync(new GetRequest { SandboxId = "sbx-a" }, headers);
        var reads = Upstream.Reads;
        await ReadAsync(One, Replica);
        var afterReads = Upstream.Reads;
        await sandboxes.CreateAsync(new CreateRequest(), headers);
        await ReadAsync(One, Replica);

        Assert.Equal((reads, reads + 1), (afterReads, Upstream.Reads));
    }

    [Fact]
    public async Task WhatIsDoneInASandbox_ForgetsNothing()
    {
        await KeptAsync(One);
        var reads = Upstream.Reads;

        using var ran = await SendAsync(HttpMethod.Post, "/v1/sandboxes/exec", "{\"id\":\"sbx-a\",\"command\":\"true\"}");
        await ReadAsync(One);

        Assert.Equal((HttpStatusCode.OK, reads), (ran.StatusCode, Upstream.Reads));
    }

    [Fact]
    public async Task ANotice_HasEveryGatewayForget_ButNotWhatIsAnothers()
    {
        foreach (var replica in new[] { 0, 1 })
        {
            await KeptAsync(One, replica);
            await KeptAsync(One, replica, LimitedUpstream.StrangersKey);
        }

        Upstream.Told = id => Task.FromResult(new Sandbox { SandboxId = id, State = SandboxState.Ended });
        await PublishAsync("org");

        foreach (var replica in new[] { 0, 1 })
        {
            await Eventually.Async("the notice has arrived", async () => (await ReadAsync(One, replica)).Contains("ended", StringComparison.Ordinal));
            Assert.Contains("ready", await ReadAsync(One, replica, LimitedUpstream.StrangersKey), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task AnAnswerThatWasAskedForBeforeAWrite_IsNotKept()
    {
        await KeptAsync(List);
        var (asked, answer) = (new TaskCompletionSource(), new TaskCompletionSource());
        Upstream.Told = async id =>
        {
            asked.TrySetResult();
            await answer.Task;
            return await LimitedUpstream.Ready(id);
        };
        var slow = ReadAsync(One);
        await asked.Task;

        using var written = await SendAsync(HttpMethod.Post, "/v1/sandboxes", "{}");
        answer.SetResult();
        await slow;
        Upstream.Told = id => Task.FromResult(new Sandbox { SandboxId = id, State = SandboxState.Ended });

        Assert.Contains("ended", await ReadAsync(One), StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhenNoticesCannotBeHeard_AllIsForgotten_AndAfterwardsTheyAreHeardAgain()
    {
        await KeptAsync("/v1/api-keys");
        var reads = Upstream.Reads;

        await RedisAsync(database => database.ExecuteAsync("CLIENT", "KILL", "TYPE", "pubsub"));

        await Eventually.Async("all is forgotten", async () =>
        {
            await ReadAsync("/v1/api-keys");
            return Upstream.Reads > reads;
        });
        await KeptAsync("/v1/api-keys");
        var before = Upstream.Reads;
        Upstream.Told = id => Task.FromResult(new Sandbox { SandboxId = id, State = SandboxState.Ended });
        await KeptAsync(One);
        await PublishAsync("org");
        Upstream.Told = LimitedUpstream.Ready;
        await Eventually.Async("notices are heard again", async () => (await ReadAsync(One)).Contains("ready", StringComparison.Ordinal));
    }

    [Fact]
    public async Task AnotherOrganisation_AndAKeyWithoutTheScope_NeverSeeIt()
    {
        var ours = await (await KeptAsync(List)).Content.ReadAsStringAsync();

        var theirs = await ReadAsync(List, key: LimitedUpstream.StrangersKey);
        using var refused = await SendAsync(HttpMethod.Get, List, key: LimitedUpstream.NarrowKey);
        using var unknown = await SendAsync(HttpMethod.Get, List, key: "br_live_wrongwrongwrongwrongwrongwrongwr");

        Assert.Contains("sbx-of-org", ours, StringComparison.Ordinal);
        Assert.Contains("sbx-of-strangers", theirs, StringComparison.Ordinal);
        Assert.Equal((HttpStatusCode.Forbidden, HttpStatusCode.Unauthorized), (refused.StatusCode, unknown.StatusCode));
        Assert.Contains("sbx-of-org", await ReadAsync(List, key: LimitedUpstream.SecondKey), StringComparison.Ordinal);
    }

    [Fact]
    public async Task APlaceInALine_AndAnError_AreNotKept()
    {
        await KeptAsync("/v1/api-keys");
        var before = Upstream.Reads;
        Upstream.Told = id => Task.FromResult(new Sandbox { SandboxId = id, State = SandboxState.Queued, Queue = new QueuePlace { Position = 1 } });
        foreach (var path in new[] { One, List, One, List })
        {
            await ReadAsync(path);
        }

        var waiting = Upstream.Reads - before;
        Upstream.Told = _ => throw RpcErrors.NotFound("SANDBOX_NOT_FOUND", "Sandbox session not found");
        Assert.Equal(HttpStatusCode.NotFound, (await SendAsync(HttpMethod.Get, One)).StatusCode);
        Upstream.Told = LimitedUpstream.Ready;

        Assert.Contains("ready", await ReadAsync(One), StringComparison.Ordinal);
        Assert.Equal((4, 6), (waiting, Upstream.Reads - before));
    }

    [Fact]
    public void TheRoutesThatAreKept_AreThoseWhoseSourcesAreToldOf() => Assert.Equal(
        [
            "ApiKeyService.GetApiKey", "ApiKeyService.ListApiKeys", "LeapSandboxService.GetSandbox", "SandboxService.Get", "SharedListService.ListSandboxes",
            "UsageService.GetBilling", "UsageService.ReadUsage",
        ],
        new RouteTable().All.Where(route => route.Call.Kept).Select(route => $"{route.Descriptor.Service.Name}.{route.Descriptor.Name}").Distinct().Order(StringComparer.Ordinal));

    // A gateway begins to keep when it hears notices.
    private async Task<HttpResponseMessage> KeptAsync(string path, int replica = 0, string key = LimitedUpstream.Key)
    {
        HttpResponseMessage? answer = null;
        await Eventually.Async($"the answer of {path} is kept", async () =>
        {
            await ReadAsync(path, replica, key);
            var reads = Upstream.Reads;
            answer = await SendAsync(HttpMethod.Get, path, key: key, replica: replica);
            return Upstream.Reads == reads;
        });
        return answer!;
    }

    private async Task<string> ReadAsync(string path, int replica = 0, string key = LimitedUpstream.Key)
    {
        using var answer = await SendAsync(HttpMethod.Get, path, key: key, replica: replica);
        return await answer.EnsureSuccessStatusCode().Content.ReadAsStringAsync();
    }

    private Task PublishAsync(string organization) =>
        RedisAsync(database => database.PublishAsync(RedisChannel.Literal(OrganizationNotices.Channel), organization));

    private async Task<T> RedisAsync<T>(Func<IDatabase, Task<T>> command)
    {
        await using var connection = new RedisConnection(Redis.SocketPath);
        return await connection.RunAsync(command);
    }

    private static string Header(HttpResponseMessage answer, string name) => answer.Headers.GetValues(name).Single();
}
