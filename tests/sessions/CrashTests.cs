using Corral.Api.V1;
using Corral.Sessions.Creating;
using Corral.Sessions.Lifecycle;
using Corral.Sessions.Records;
using Corral.Tests.Support;
using Xunit;

namespace Corral.Sessions.Tests;

/// <summary>A replica that dies at every step between what is written and what is done, and another that goes on.</summary>
public sealed class CrashTests : SessionsTest
{
    // Longer than any lease.
    private static readonly TimeSpan Later = TimeSpan.FromSeconds(100);

    [Theory]
    [InlineData("reserve", false)]
    [InlineData("reserve", true)]
    [InlineData("start", false)]
    [InlineData("start", true)]
    [InlineData("confirm", false)]
    [InlineData("confirm", true)]
    public async Task AReplicaThatDiesWhileItStartsASandbox_IsFollowedByOneThatFinishes(string call, bool afterTheEffect)
    {
        var died = DieAt(One, call, afterTheEffect);
        var created = await One.CreateAsync(new CreateRequest { Env = { ["A"] = "1" } });
        await died.WaitAsync(TimeSpan.FromSeconds(60));

        var two = await TakeOverAsync();
        var ready = await two.UntilAsync(created.Id, SandboxState.Ready);

        Assert.Equal((1L, "a"), (ready.Generation, ready.NodeId));
        Assert.Equal(["created", "assigned", "ready"], await EventsAsync(created.Id));
        Assert.Equal(["a"], Fleet.WhereRuns(created.Id));
        await Eventually.Async("its room is confirmed", () => Fleet.Scheduler.Held[created.Id] == (1L, "a", true));
        Assert.Equal([created.Id], await LiveAsync());
        Assert.Equal("1", Fleet.Nodes[0].Environment["A"]);
    }

    [Theory]
    [InlineData("end", false)]
    [InlineData("end", true)]
    [InlineData("release", false)]
    [InlineData("release", true)]
    public async Task AReplicaThatDiesWhileItEndsASandbox_IsFollowedByOneThatFinishes(string call, bool afterTheEffect)
    {
        var created = await One.CreateAsync();
        var started = (await One.UntilAsync(created.Id, SandboxState.Ready)).StartedAt;
        var died = DieAt(One, call, afterTheEffect);
        Clock.Now += TimeSpan.FromSeconds(7);
        await One.Ender.EndAsync("org", created.Id, "client");
        await died.WaitAsync(TimeSpan.FromSeconds(60));

        var two = await TakeOverAsync();
        var ended = await two.UntilAsync(created.Id, SandboxState.Ended);

        Assert.Equal("client", ended.EndReason);
        Assert.Equal(["created", "assigned", "ready", "ending", "ended"], await EventsAsync(created.Id));
        Assert.Equal((long)(ended.EndedAt - started)!.Value.TotalMilliseconds, await MeteredAsync());
        await NothingLeftAsync(created.Id);
    }

    [Theory]
    [InlineData("end", false)]
    [InlineData("end", true)]
    [InlineData("release", false)]
    [InlineData("release", true)]
    public async Task AReplicaThatDiesWhileItClearsUpAFailure_IsFollowedByOneThatFinishes(string call, bool afterTheEffect)
    {
        var created = await One.CreateAsync();
        var ready = await One.UntilAsync(created.Id, SandboxState.Ready);
        var died = DieAt(One, call, afterTheEffect);
        Clock.Now += TimeSpan.FromSeconds(7);
        await One.Lost.FailMissingAsync("a", [], Clock.Now);
        await died.WaitAsync(TimeSpan.FromSeconds(60));

        var two = await TakeOverAsync();
        var failed = await two.UntilAsync(created.Id, SandboxState.Failed);

        Assert.Equal("node_lost", failed.EndReason);
        Assert.Single(await EventsAsync(created.Id), name => name == "ready");
        Assert.Equal((long)(failed.EndedAt - ready.StartedAt)!.Value.TotalMilliseconds, await MeteredAsync());
        await NothingLeftAsync(created.Id);
    }

    [Theory]
    [InlineData("end", true)]
    [InlineData("reserve", false)]
    [InlineData("reserve", true)]
    public async Task AReplicaThatDiesBetweenTwoAttempts_IsFollowedByOneThatFinishes(string call, bool afterTheEffect)
    {
        var starts = 0;
        Task? died = null;
        Fleet.Calls.Before = name =>
        {
            if (name != "start" || Interlocked.Increment(ref starts) > 1)
            {
                return Task.CompletedTask;
            }

            died = DieAt(One, call, afterTheEffect);
            throw Hosting.RpcErrors.Internal("START_FAILED", "No such luck.");
        };
        await One.WorkAsync();
        var created = await One.CreateAsync();
        await Eventually.Async("the replica has died", () =>
        {
            Clock.Now += TimeSpan.FromMilliseconds(100);
            return died?.IsCompleted == true;
        });

        var two = await TakeOverAsync();
        await Eventually.Async("it runs on the other node", () =>
        {
            Clock.Now += TimeSpan.FromMilliseconds(100);
            return Fleet.Nodes[1].Running.ContainsKey(created.Id);
        });
        var ready = await two.UntilAsync(created.Id, SandboxState.Ready);

        Assert.Equal((2L, "b"), (ready.Generation, ready.NodeId));
        Assert.Equal(["created", "assigned", "assigned", "ready"], await EventsAsync(created.Id));
        Assert.Equal(["b"], Fleet.WhereRuns(created.Id));
        await Eventually.Async("its room is confirmed", () => Fleet.Scheduler.Held[created.Id] == (2L, "b", true));
    }

    [Fact]
    public async Task AReplicaThatDiesBeforeItWritesTheRecord_LeavesNothing()
    {
        await One.Store.ClaimIdAsync("sbx-a", "org");
        await One.Due.AnnounceAsync("org", "sbx-a", 1);
        await One.KillAsync();

        await TakeOverAsync();

        await NothingLeftAsync("sbx-a");
        Assert.Empty(Fleet.Calls.Made);
    }

    [Fact]
    public async Task AReplicaThatDiesOnceTheRecordIsWritten_IsFollowedByOneThatStartsIt()
    {
        var record = new SandboxRecord
        {
            Id = "sbx-a",
            Organization = "org",
            State = SandboxState.Queued,
            Runtime = "bun",
            Size = "standard",
            MaxDurationMs = 60_000,
            CreatedAt = Clock.Now,
        };
        await One.Store.ClaimIdAsync("sbx-a", "org");
        await One.Due.AnnounceAsync("org", "sbx-a", 1);
        await One.Store.CreateAsync(record, new PlanOptions().Pro, "request", [1]);
        await One.KillAsync();

        var two = await TakeOverAsync();
        await two.UntilAsync("sbx-a", SandboxState.Ready);

        await Eventually.Async("its room is confirmed", () => Fleet.Calls.Made.SequenceEqual(["reserve", "start", "confirm"]));
    }

    [Fact]
    public async Task AReplicaThatDiesOnceTheSandboxIsReady_IsFollowedByOneThatEndsItInTime()
    {
        var created = await One.CreateAsync(new CreateRequest { MaxDurationMs = 200_000 });
        await One.UntilAsync(created.Id, SandboxState.Ready);
        await One.KillAsync();
        // What it did not come to write: when the sandbox is due. Its lease is still there.
        await RedisAsync(db => db.SortedSetAddAsync("{due:0}", $"org|{created.Id}", (Clock.Now + DueQueue.Lease).ToUnixTimeMilliseconds()));

        var two = await TakeOverAsync();
        Assert.Equal(SandboxState.Ready, (await two.Store.FindAsync("org", created.Id))!.Record.State);
        Clock.Now += TimeSpan.FromSeconds(100);
        await two.UntilAsync(created.Id, SandboxState.Ended);

        Assert.Equal(200_000, await MeteredAsync());
    }

    // The replica is gone at this call: either before it took effect, or after it and before the answer.
    private Task DieAt(Replica replica, string call, bool afterTheEffect)
    {
        var died = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var before = Fleet.Calls.Before;
        async Task Die(string name)
        {
            if (name == call && !died.Task.IsCompleted)
            {
                await replica.KillAsync();
                died.TrySetResult();
                throw new InvalidOperationException("Nobody listens any more.");
            }
        }

        if (afterTheEffect)
        {
            Fleet.Calls.After = Die;
        }
        else
        {
            Fleet.Calls.Before = async name =>
            {
                await before(name);
                await Die(name);
            };
        }

        return died.Task;
    }

    private async Task<Replica> TakeOverAsync()
    {
        var replica = NewReplica();
        Clock.Now += Later;
        await replica.WorkAsync();
        await Eventually.Async("what was due has been taken", TimeSpan.FromSeconds(60), async () =>
            (await RedisAsync(db => db.SortedSetRangeByScoreAsync("{due:0}", double.NegativeInfinity, Clock.Now.ToUnixTimeMilliseconds()))).Length == 0);
        return replica;
    }

    private async Task NothingLeftAsync(string id)
    {
        Assert.Empty(Fleet.WhereRuns(id));
        Assert.False(Fleet.Scheduler.Held.ContainsKey(id));
        Assert.DoesNotContain(id, await LiveAsync());
        await Eventually.Async($"{id} is forgotten by the due queue", TimeSpan.FromSeconds(60), async () =>
            await RedisAsync(db => db.SortedSetScoreAsync("{due:0}", $"org|{id}")) is null);
    }
}
