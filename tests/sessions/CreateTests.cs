using Corral.Api.V1;
using Corral.Hosting;
using Corral.Tests.Support;
using Grpc.Core;
using StackExchange.Redis;
using Xunit;

namespace Corral.Sessions.Tests;

/// <summary>Accepting sandboxes, with limits and request ids.</summary>
public sealed class CreateTests : SessionsTest
{
    [Fact]
    public async Task ACreatedSandbox_BecomesReadyWithItsEnvironment()
    {
        var created = await One.CreateAsync(new CreateRequest { Runtime = "python", Env = { ["A"] = "1", ["B"] = "two" } });
        var ready = await One.UntilAsync(created.Id, SandboxState.Ready);

        Assert.Equal(SandboxState.Queued, created.State);
        Assert.Equal(("python", "standard", "a", "iad", true), (ready.Runtime, ready.Size, ready.NodeId, ready.Region, ready.Ephemeral));
        Assert.Equal(new Dictionary<string, string> { ["A"] = "1", ["B"] = "two" }, Fleet.Nodes[0].Environment);
        Assert.Equal(["created", "assigned", "ready"], await EventsAsync(created.Id));
        await Eventually.Async("its room is confirmed", () => Fleet.Scheduler.Held[created.Id].Confirmed);
    }

    [Fact]
    public async Task AnEmptyRequest_TakesTheDefaultsAndThePlansLongestLife()
    {
        var created = await One.CreateAsync();

        Assert.Equal(("bun", "standard", true, 3_600_000L), (created.Runtime, created.Size, created.Ephemeral, created.MaxDurationMs));
    }

    [Fact]
    public async Task TwoHundredAtOnceOnTwoReplicas_LetExactlyTheTenIn()
    {
        Fleet.Scheduler.Full = true;
        var two = NewReplica();

        var outcomes = await Task.WhenAll(Enumerable.Range(0, 200).Select(i => TryCreateAsync(i % 2 == 0 ? One : two)));

        Assert.Equal(10, outcomes.Count(o => o is null));
        Assert.All(outcomes.OfType<RpcErrorInfo>(), error =>
        {
            Assert.Equal((StatusCode.ResourceExhausted, "CONCURRENT_SANDBOX_LIMIT"), (error.Code, error.Reason));
            Assert.Equal("Concurrent sandbox limit reached", error.Message);
            Assert.Equal(("10", "10", "pro"), (error.Metadata["limit"], error.Metadata["current"], error.Metadata["currentPlan"]));
        });
        Assert.Equal(10, (await LiveAsync()).Count);
    }

    [Fact]
    public async Task ARefusedCreate_LeavesNothingBehind()
    {
        await One.AddOrganizationAsync("small", "free");
        var first = await One.CreateAsync(organization: "small");
        await One.UntilAsync(first.Id, SandboxState.Ready, "small");

        await Assert.ThrowsAsync<RpcException>(() => One.CreateAsync(organization: "small"));

        Assert.Equal([$"owner:{first.Id}"], (await KeysAsync()).Where(k => k.StartsWith("owner:", StringComparison.Ordinal)));
        Assert.Equal([$"small|{first.Id}"], (await RedisAsync(db => db.SortedSetRangeByRankAsync("{due:0}"))).Select(v => v.ToString()));
    }

    [Fact]
    public async Task AnEndedSandbox_MakesRoomForTheNext()
    {
        await One.AddOrganizationAsync("small", "free");
        var first = await One.CreateAsync(organization: "small");
        Assert.Equal("CONCURRENT_SANDBOX_LIMIT", (await TryCreateAsync(One, organization: "small"))!.Reason);

        await One.Ender.EndAsync("small", first.Id, "client");
        await One.UntilAsync(first.Id, SandboxState.Ended, "small");

        Assert.Null(await TryCreateAsync(One, organization: "small"));
    }

    [Fact]
    public async Task AMonthsHoursUsedUp_AreRefusedWithTheReason()
    {
        await One.AddOrganizationAsync("small", "free");
        await RedisAsync(db => db.HashSetAsync($"{{small}}:usage:{Clock.Now.UtcDateTime:yyyy-MM}", "ms", 5 * 3_600_000L));

        var error = await TryCreateAsync(One, organization: "small");

        Assert.Equal((StatusCode.ResourceExhausted, "MONTHLY_HOURS_LIMIT", "Monthly sandbox hours limit reached"), (error!.Code, error.Reason, error.Message));
        Assert.Equal(("5", "5", "free"), (error.Metadata["limit"], error.Metadata["current"], error.Metadata["currentPlan"]));
    }

    [Fact]
    public async Task TheSameRequestAgain_EvenFiftyTimesAtOnceOnTwoReplicas_IsOneSandbox()
    {
        var two = NewReplica();

        var made = await Task.WhenAll(Enumerable.Range(0, 50).Select(i => (i % 2 == 0 ? One : two).CreateAsync(new CreateRequest { RequestId = "again", Runtime = "base" })));

        var id = Assert.Single(made.Select(m => m.Id).Distinct());
        Assert.Equal([id], await LiveAsync());
        Assert.Equal([$"owner:{id}"], (await KeysAsync()).Where(k => k.StartsWith("owner:", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task ARepeatedRequest_AnswersTheFirstsSandboxEvenAtTheLimit()
    {
        await One.AddOrganizationAsync("small", "free");
        var first = await One.CreateAsync(new CreateRequest { RequestId = "again" }, "small");

        Assert.Equal(first.Id, (await One.CreateAsync(new CreateRequest { RequestId = "again" }, "small")).Id);
    }

    [Fact]
    public async Task TheSameEnvironmentInAnotherOrder_IsTheSameRequest()
    {
        var first = await One.CreateAsync(new CreateRequest { RequestId = "again", Env = { { "A", "1" }, { "B", "2" } } });

        Assert.Equal(first.Id, (await One.CreateAsync(new CreateRequest { RequestId = "again", Env = { { "B", "2" }, { "A", "1" } } })).Id);
    }

    [Fact]
    public async Task TheSameRequestIdWithAnotherBody_IsAConflict_AndMakesNothing()
    {
        await One.CreateAsync(new CreateRequest { RequestId = "again", Runtime = "bun" });

        var error = await TryCreateAsync(One, new CreateRequest { RequestId = "again", Runtime = "base" });

        Assert.Equal("IDEMPOTENCY_CONFLICT", error!.Reason);
        Assert.Single(await LiveAsync());
    }

    [Fact]
    public async Task TheSameRequestIdOfAnotherOrganisation_IsAnotherRequest()
    {
        var ours = await One.CreateAsync(new CreateRequest { RequestId = "again" });
        var theirs = await One.CreateAsync(new CreateRequest { RequestId = "again" }, "other");

        Assert.NotEqual(ours.Id, theirs.Id);
    }

    [Fact]
    public async Task ARequestThatWasRefused_MayBeRepeatedAndSucceed()
    {
        await One.AddOrganizationAsync("small", "free");
        var first = await One.CreateAsync(organization: "small");
        Assert.NotNull(await TryCreateAsync(One, new CreateRequest { RequestId = "again" }, "small"));

        await One.Ender.EndAsync("small", first.Id, "client");
        await One.UntilAsync(first.Id, SandboxState.Ended, "small");

        Assert.Null(await TryCreateAsync(One, new CreateRequest { RequestId = "again" }, "small"));
    }

    [Fact]
    public async Task WithoutRedis_ACreateIsUnavailable_AndNothingIsMade()
    {
        Server.Kill();
        await Assert.ThrowsAsync<Corral.Redis.StateStoreUnavailableException>(() => One.CreateAsync());
        await Server.RestartAsync();

        Assert.Empty(await LiveAsync());
    }

    [Fact]
    public async Task RedisKilledUnderCreates_LosesNoneThatWasAcknowledged_AndCountsEachOnce()
    {
        Fleet.Scheduler.Full = true;
        await One.AddOrganizationAsync("large", "scale");
        var two = NewReplica();
        var acknowledged = 0;
        using var atOnce = new SemaphoreSlim(5);

        var ids = await Task.WhenAll(Enumerable.Range(0, 40).Select(async i =>
        {
            var request = new CreateRequest { RequestId = $"r-{i}" };
            var made = "";
            await atOnce.WaitAsync();
            await Eventually.Async($"create {i} is acknowledged", async () =>
            {
                try
                {
                    made = (await (i % 2 == 0 ? One : two).CreateAsync(request, "large")).Id;
                    return true;
                }
                catch (Corral.Redis.StateStoreUnavailableException)
                {
                    return false;
                }
            });
            if (Interlocked.Increment(ref acknowledged) == 10)
            {
                Server.Kill();
                await Server.RestartAsync();
            }

            atOnce.Release();
            return made;
        }));

        Assert.Equal(40, ids.Distinct().Count());
        Assert.Equal(ids.Order(), (await LiveAsync("large")).Order());
        var found = await Task.WhenAll(ids.Select(id => two.Store.FindAsync("large", id)));
        Assert.All(found, record => Assert.NotNull(record));
    }

    private async Task<IReadOnlyList<string>> KeysAsync() =>
        [.. ((RedisResult[])(await RedisAsync(db => db.ExecuteAsync("KEYS", "*")))!).Select(k => (string)k!)];

    private static async Task<RpcErrorInfo?> TryCreateAsync(Replica replica, CreateRequest? request = null, string organization = "org")
    {
        try
        {
            await replica.CreateAsync(request, organization);
            return null;
        }
        catch (RpcException exception)
        {
            return RpcErrors.Read(exception);
        }
    }
}
