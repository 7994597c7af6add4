using Corral.Api.V1;
using Corral.Hosting;
using Corral.Redis;
using Corral.Sessions.Lifecycle;
using Corral.Sessions.Records;
using Corral.Tests.Support;
using Grpc.Core;
using Xunit;

namespace Corral.Sessions.Tests;

/// <summary>Bringing sandboxes to where their records say, when scheduler and nodes fail.</summary>
public sealed class DriverTests : SessionsTest
{
    [Fact]
    public async Task ANodeThatCannotStartIt_IsLeftForAnother()
    {
        FailStarts(times: 1, RpcErrors.Internal("START_FAILED", "No such luck."));
        await One.WorkAsync();

        var created = await One.CreateAsync();
        await DueAsync(created.Id, SandboxState.Queued);
        var ready = await One.UntilAsync(created.Id, SandboxState.Ready);

        Assert.Equal(("b", 2L, 2), (ready.NodeId, ready.Generation, ready.Attempts));
        Assert.Equal(["b"], Fleet.WhereRuns(created.Id));
        await Eventually.Async("its room is confirmed", () => Fleet.Scheduler.Held[created.Id] == (2L, "b", true));
        Assert.Equal(["created", "assigned", "assigned", "ready"], await EventsAsync(created.Id));
    }

    [Fact]
    public async Task TheOnlyNode_IsTriedAgain()
    {
        FailStarts(times: 2, RpcErrors.Internal("START_FAILED", "No such luck."));
        await One.WorkAsync();

        var created = await One.CreateAsync();
        await DueAsync(created.Id, SandboxState.Queued, version: 3);
        await DueAsync(created.Id, SandboxState.Queued, version: 5);

        Assert.Equal(3, (await One.UntilAsync(created.Id, SandboxState.Ready)).Attempts);
    }

    [Fact]
    public async Task WhatWaitedForLong_HasAsMuchPatienceAsWhatDidNot()
    {
        Fleet.Scheduler.Full = true;
        await One.WorkAsync();
        var created = await One.CreateAsync();
        await DueAsync(created.Id, SandboxState.Queued, after: TimeSpan.FromMinutes(5));
        await DueAsync(created.Id, SandboxState.Queued, after: TimeSpan.Zero);
        FailStarts(times: 1, RpcErrors.Unavailable("RESTARTING", "Just a moment.", TimeSpan.FromSeconds(1)));

        Fleet.Scheduler.Full = false;
        Clock.Now += TimeSpan.FromSeconds(5);
        await DueAsync(created.Id, SandboxState.Assigning);
        var ready = await One.UntilAsync(created.Id, SandboxState.Ready);

        Assert.Equal((1L, "a"), (ready.Generation, ready.NodeId));
    }

    [Fact]
    public async Task ARedisThatTakesNoWrites_IsUnavailable_AndWhatIsDueIsTakenOnceItDoes()
    {
        await One.WorkAsync();
        var created = await One.CreateAsync(new CreateRequest { MaxDurationMs = 60_000 });
        var ready = await One.UntilAsync(created.Id, SandboxState.Ready);
        await UntilDueAsync(created.Id, ready.ExpiresAt!.Value);

        await RedisAsync(db => db.ExecuteAsync("CONFIG", "SET", "maxmemory", "1"));
        await Assert.ThrowsAsync<StateStoreUnavailableException>(() => One.CreateAsync());
        Clock.Now = ready.ExpiresAt.Value;
        await Assert.ThrowsAsync<StateStoreUnavailableException>(() => One.Due.TakeAsync(1));
        await RedisAsync(db => db.ExecuteAsync("CONFIG", "SET", "maxmemory", "0"));

        Assert.Equal("expired", (await One.UntilAsync(created.Id, SandboxState.Ended)).EndReason);
    }

    [Fact]
    public async Task AFullNode_IsAskedAgain()
    {
        FailStarts(times: 1, RpcErrors.ResourceExhausted("NODE_FULL", "This node has no room."));
        await One.WorkAsync();

        var created = await One.CreateAsync();
        await DueAsync(created.Id, SandboxState.Queued);

        Assert.Equal("a", (await One.UntilAsync(created.Id, SandboxState.Ready)).NodeId);
    }

    [Fact]
    public async Task ThreeFailedAttempts_FailItWithTheReason_AndNothingIsLeft()
    {
        FailStarts(times: 100, RpcErrors.ResourceExhausted("NODE_FULL", "This node has no room."));
        await One.WorkAsync();

        var created = await One.CreateAsync(new CreateRequest { Env = { ["A"] = "1" } });
        await DueAsync(created.Id, SandboxState.Queued, version: 3);
        await DueAsync(created.Id, SandboxState.Queued, version: 5);
        var failed = await One.UntilAsync(created.Id, SandboxState.Failed);

        Assert.Equal(("The sandbox could not be started: This node has no room.", "start_failed"), (failed.FailureReason, failed.EndReason));
        Assert.Null(failed.SealedEnv);
        await NothingLeftAsync(created.Id);
        Assert.Equal(0, await MeteredAsync());
    }

    [Fact]
    public async Task ANodeThatIsAwayForAMoment_IsAskedForTheSameGenerationAgain()
    {
        FailStarts(times: 1, RpcErrors.Unavailable("RESTARTING", "Just a moment.", TimeSpan.FromSeconds(1)));
        await One.WorkAsync();

        var created = await One.CreateAsync();
        await DueAsync(created.Id, SandboxState.Assigning);

        Assert.Equal(("a", 1L), ((await One.UntilAsync(created.Id, SandboxState.Ready)).NodeId, Fleet.Nodes[0].Running[created.Id]));
    }

    [Fact]
    public async Task AStartWhoseReservationExpired_StaysWhereItRuns()
    {
        Fleet.Calls.After = name =>
        {
            if (name == "start")
            {
                Fleet.Calls.After = _ => Task.CompletedTask;
                Fleet.Scheduler.Held.Clear();
            }

            return Task.CompletedTask;
        };
        await One.WorkAsync();

        var created = await One.CreateAsync();
        var ready = await One.UntilAsync(created.Id, SandboxState.Ready);
        await UntilDueAsync(created.Id, ready.ExpiresAt!.Value);

        Assert.Equal((1L, "a"), (ready.Generation, ready.NodeId));
        Assert.Equal(["a"], Fleet.WhereRuns(created.Id));
    }

    [Fact]
    public async Task AFullFleet_LetsItWait_UntilThereIsRoom()
    {
        Fleet.Scheduler.Full = true;
        await One.WorkAsync();
        var created = await One.CreateAsync();
        await DueAsync(created.Id, SandboxState.Queued, after: TimeSpan.Zero);
        Assert.Equal(["created"], await EventsAsync(created.Id));

        Fleet.Scheduler.Full = false;
        Clock.Now += TimeSpan.FromSeconds(5);

        await One.UntilAsync(created.Id, SandboxState.Ready);
    }

    [Fact]
    public async Task WhatNoNodeOffers_FailsWithTheReason_ButOnlyAfterAWhile()
    {
        Fleet.Calls.Before = name => name == "reserve" ? throw RpcErrors.ResourceExhausted("NO_SUCH_NODE", "None.") : Task.CompletedTask;
        await One.WorkAsync();
        var created = await One.CreateAsync();
        await DueAsync(created.Id, SandboxState.Queued);
        Assert.Equal(["created"], await EventsAsync(created.Id));

        Clock.Now += TimeSpan.FromSeconds(60);

        Assert.Equal("No node offers this runtime and isolation.", (await One.UntilAsync(created.Id, SandboxState.Failed)).FailureReason);
    }

    [Fact]
    public async Task ASandbox_EndsWhenItsTimeIsUp_ToTheMillisecond()
    {
        await One.WorkAsync();
        var created = await One.CreateAsync(new CreateRequest { MaxDurationMs = 1_234_567 });
        var ready = await One.UntilAsync(created.Id, SandboxState.Ready);
        await UntilDueAsync(created.Id, ready.ExpiresAt!.Value);
        Assert.Equal(ready.StartedAt + TimeSpan.FromMilliseconds(1_234_567), ready.ExpiresAt);

        Clock.Now = ready.ExpiresAt.Value - TimeSpan.FromMilliseconds(1);
        Assert.Empty(await One.Due.TakeAsync(10));
        Clock.Now = ready.ExpiresAt.Value;
        var ended = await One.UntilAsync(created.Id, SandboxState.Ended);

        Assert.Equal("expired", ended.EndReason);
        Assert.Equal(1_234_567, await MeteredAsync());
        await NothingLeftAsync(created.Id);
    }

    [Fact]
    public async Task ASandbox_IsDueWhenItsTimeIsUp_HoweverLongItsRoomTookToBeConfirmed()
    {
        Fleet.Calls.Before = name =>
        {
            Clock.Now += name == "confirm" ? TimeSpan.FromSeconds(9) : TimeSpan.Zero;
            return Task.CompletedTask;
        };
        var created = await One.CreateAsync();

        var ready = await One.UntilAsync(created.Id, SandboxState.Ready);

        await UntilDueAsync(created.Id, ready.ExpiresAt!.Value);
    }

    [Fact]
    public async Task AnEndAskedWhileItStarts_IsObeyed()
    {
        var starting = new TaskCompletionSource();
        var goOn = new TaskCompletionSource();
        Fleet.Calls.Before = async name =>
        {
            if (name == "start")
            {
                starting.TrySetResult();
                await goOn.Task;
            }
        };
        var created = await One.CreateAsync();
        await starting.Task.WaitAsync(TimeSpan.FromSeconds(60));

        var answered = await One.Ender.EndAsync("org", created.Id, "client");
        goOn.SetResult();
        var ended = await One.UntilAsync(created.Id, SandboxState.Ended);

        Assert.Equal((SandboxState.Ending, "client"), (answered!.State, ended.EndReason));
        await NothingLeftAsync(created.Id);
    }

    [Fact]
    public async Task EndingTwice_KeepsTheFirstReason()
    {
        var created = await One.CreateAsync();
        await One.UntilAsync(created.Id, SandboxState.Ready);

        await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => One.Ender.EndAsync("org", created.Id, "client")));
        await One.UntilAsync(created.Id, SandboxState.Ended);

        Assert.Equal("client", (await One.Ender.EndAsync("org", created.Id, "operator"))!.EndReason);
        Assert.Single(await EventsAsync(created.Id), name => name == "ending");
    }

    [Fact]
    public async Task AnEndThatItsNodeCannotDoYet_IsRepeated()
    {
        var created = await ReadyAsync();
        var refused = 0;
        Fleet.Calls.Before = name => name == "end" && Interlocked.Increment(ref refused) <= 2 ? throw RpcErrors.Internal("BUSY", "Not now.") : Task.CompletedTask;
        await One.WorkAsync();

        await One.Ender.EndAsync("org", created, "client");
        await DueAsync(created, SandboxState.Ending);
        await Eventually.Async("the end was refused again", () => Volatile.Read(ref refused) >= 2);
        await DueAsync(created, SandboxState.Ending);
        await One.UntilAsync(created, SandboxState.Ended);

        await NothingLeftAsync(created);
    }

    [Fact]
    public async Task ANodeThatIsGoneForGood_DoesNotHoldItsSandboxesPlaceForEver()
    {
        var created = await ReadyAsync();
        await Fleet.Nodes[0].Host.StopAsync();
        await One.WorkAsync();
        await One.Ender.EndAsync("org", created, "client");
        await DueAsync(created, SandboxState.Ending);
        Assert.Equal([created], await LiveAsync());

        Clock.Now += TimeSpan.FromMinutes(2);
        await One.UntilAsync(created, SandboxState.Ended);

        Assert.Empty(await LiveAsync());
        Assert.Empty(Fleet.Scheduler.Held);
        var back = new V1.SandboxObservation { SandboxId = created, Generation = 1, Observed = V1.Observed.Running };
        Assert.False(await One.Reconciler.ObserveAsync("a", back), "a node that comes back is told to end it");
    }

    [Fact]
    public async Task AnEnvironmentSealedUnderAnotherKey_FailsItWithTheReason()
    {
        Fleet.Scheduler.Full = true;
        var created = await One.CreateAsync(new CreateRequest { Env = { ["A"] = "1" } });
        var found = (await One.Store.FindAsync("org", created.Id))!;
        found.Record.SealedEnv![20] ^= 1;
        await One.Store.SaveAsync(found, found.Record);
        Fleet.Scheduler.Full = false;

        One.Driver.Drive("org", created.Id);
        var failed = await One.UntilAsync(created.Id, SandboxState.Failed);

        Assert.Contains("secrets key", failed.FailureReason, StringComparison.Ordinal);
        Assert.Equal(0, Fleet.Calls.Count("start"));
    }

    [Fact]
    public async Task AReplicaThatRests_DoesNotPutOffWhatAnotherJustMadeDue()
    {
        var created = await ReadyAsync();
        var two = NewReplica();
        var interrupted = new TaskCompletionSource();
        // One has read READY and looks how much time is left, when the other takes the end and dies.
        Clock.Interrupt(() => Task.Run(async () =>
        {
            var ready = (await two.Store.FindAsync("org", created))!;
            await two.Due.AnnounceAsync("org", created, ready.Version + 1);
            Assert.True(await two.Store.SaveAsync(ready, ready.Record with { State = SandboxState.Ending, EndReason = "client", EndAskedAt = Clock.Now }));
            await two.KillAsync();
            interrupted.SetResult();
        }).GetAwaiter().GetResult());

        One.Driver.Drive("org", created);
        await interrupted.Task.WaitAsync(TimeSpan.FromSeconds(60));
        await One.WorkAsync();
        Clock.Now += DueQueue.Lease;

        await One.UntilAsync(created, SandboxState.Ended);
    }

    private async Task<string> ReadyAsync()
    {
        var created = await One.CreateAsync();
        var ready = await One.UntilAsync(created.Id, SandboxState.Ready);
        await UntilDueAsync(created.Id, ready.ExpiresAt!.Value);
        return created.Id;
    }

    private void FailStarts(int times, RpcException exception)
    {
        var failed = 0;
        Fleet.Calls.Before = name => name == "start" && Interlocked.Increment(ref failed) <= times ? throw exception : Task.CompletedTask;
    }

    // Waits until the driver rests in a state, then lets the time pass after which it tries again.
    private async Task DueAsync(string id, SandboxState state, long version = 0, TimeSpan? after = null)
    {
        await Eventually.Async($"{id} rests in {state}", TimeSpan.FromSeconds(60), async () =>
            await One.Store.FindAsync("org", id) is { } found && found.Record.State == state && found.Version >= version
            && await RedisAsync(db => db.SortedSetScoreAsync("{due:0}", $"org|{id}")) is { } due
            && due - Clock.Now.ToUnixTimeMilliseconds() is > 0 and <= 5_000);
        Clock.Now += after ?? TimeSpan.FromSeconds(1);
    }

    private Task UntilDueAsync(string id, DateTimeOffset at) =>
        Eventually.Async($"{id} is due at {at:O}", TimeSpan.FromSeconds(60), async () =>
            await RedisAsync(db => db.SortedSetScoreAsync("{due:0}", $"org|{id}")) == at.ToUnixTimeMilliseconds());

    private async Task NothingLeftAsync(string id)
    {
        Assert.Empty(Fleet.WhereRuns(id));
        Assert.False(Fleet.Scheduler.Held.ContainsKey(id));
        Assert.DoesNotContain(id, await LiveAsync());
        await Eventually.Async($"{id} is forgotten by the due queue", TimeSpan.FromSeconds(60), async () =>
            await RedisAsync(db => db.SortedSetScoreAsync("{due:0}", $"org|{id}")) is null);
    }
}
