using Corral.Api.V1;
using Corral.Hosting;
using Corral.Sessions.Creating;
using Corral.Sessions.Records;
using Corral.Tests.Support;
using Grpc.Core;
using Xunit;

namespace Corral.Sessions.Tests;

/// <summary>What a plan allows: counted, metered, waited for, and told with its reasons.</summary>
public sealed class AllowanceTests : SessionsTest
{
    private static readonly PlanLimits Tight = new() { ConcurrentSandboxes = 1, MaxDuration = TimeSpan.FromHours(100), HoursPerMonth = 10, WaitingSandboxes = 2 };

    [Fact]
    public async Task ARefusal_SaysWhenThePlanHasRoomAtTheLatest()
    {
        await One.AddOrganizationAsync("small", "free");
        var created = await One.CreateAsync(new CreateRequest { MaxDurationMs = 120_000 }, "small");
        var expires = (await One.UntilAsync(created.Id, SandboxState.Ready, "small")).ExpiresAt!.Value;

        var error = await RefusedAsync(One, organization: "small");

        Assert.Equal(("1", "1", "free"), (error.Metadata["limit"], error.Metadata["current"], error.Metadata["currentPlan"]));
        Assert.Equal(expires.ToUnixTimeMilliseconds().ToString(), error.Metadata["liftedAt"]);
        Assert.Equal(120, error.RetryAfter!.Value.TotalSeconds, 1.0);
    }

    [Fact]
    public async Task UsedUpHours_ComeBackWithTheNextMonth()
    {
        await One.AddOrganizationAsync("small", "free");
        await RedisAsync(db => db.HashSetAsync($"{{small}}:usage:{Clock.Now.UtcDateTime:yyyy-MM}", "ms", 5 * 3_600_000L));

        var error = await RefusedAsync(One, organization: "small");
        var lifted = DateTimeOffset.FromUnixTimeMilliseconds(long.Parse(error.Metadata["liftedAt"]));
        Clock.Now = lifted;

        Assert.Equal((1, TimeSpan.Zero, Clock.Now.Month), (lifted.Day, lifted.TimeOfDay, lifted.Month));
        await One.CreateAsync(organization: "small");
    }

    [Fact]
    public async Task WhatStillRuns_IsCountedAgainstTheHours()
    {
        Clock.Now = new DateTimeOffset(2026, 3, 10, 8, 0, 0, TimeSpan.Zero);
        await RunningAsync("sbx-a", Clock.Now);
        Clock.Now += TimeSpan.FromHours(10) - TimeSpan.FromMilliseconds(1);

        var before = await One.Store.CreateAsync(Record("sbx-b"), Roomy(10), "", []);
        Clock.Now += TimeSpan.FromMilliseconds(1);
        var after = await One.Store.CreateAsync(Record("sbx-c"), Roomy(10), "", []);

        Assert.Equal(SaveStatus.Saved, before.Status);
        Assert.Equal((SaveStatus.HoursLimit, "36000000"), (after.Status, after.Value));
    }

    [Fact]
    public async Task ASandboxThatRunsOverTheMonthsEnd_IsMeteredInBothMonths_ToTheMillisecond()
    {
        var started = new DateTimeOffset(2026, 2, 27, 23, 30, 0, TimeSpan.Zero);
        var seen = await RunningAsync("sbx-a", started);
        Clock.Now = new DateTimeOffset(2026, 3, 1, 0, 0, 1, 234, TimeSpan.Zero);

        await One.Store.SaveAsync(seen, seen.Record with { State = SandboxState.Ended, EndedAt = Clock.Now });

        var february = await One.Usage.ReadAsync("org", false, new DateOnly(2026, 2, 1));
        var march = await One.Usage.ReadAsync("org", false, new DateOnly(2026, 3, 1));
        Assert.Equal([(new DateOnly(2026, 2, 27), 1_800_000L), (new DateOnly(2026, 2, 28), 86_400_000L)], february.Days);
        Assert.Equal([(new DateOnly(2026, 3, 1), 1_234L)], march.Days);
        Assert.Equal((88_200_000L, 1_234L, 0), (february.Milliseconds, march.Milliseconds, march.Running));
    }

    [Fact]
    public async Task TheUsageOfWhatRuns_IsWhatItWillHaveBeen()
    {
        var seen = await RunningAsync("sbx-a", new DateTimeOffset(2026, 3, 31, 23, 59, 59, 500, TimeSpan.Zero));
        Clock.Now = new DateTimeOffset(2026, 4, 1, 0, 0, 2, TimeSpan.Zero);

        var during = await One.Usage.ReadAsync("org", false, new DateOnly(2026, 4, 1));
        await One.Store.SaveAsync(seen, seen.Record with { State = SandboxState.Ended, EndedAt = Clock.Now });
        Clock.Now += TimeSpan.FromHours(5);
        var after = await One.Usage.ReadAsync("org", false, new DateOnly(2026, 4, 1));

        Assert.Equal((2_000L, 1), (during.Milliseconds, during.Running));
        Assert.Equal((2_000L, 0), (after.Milliseconds, after.Running));
        Assert.Equal(500, (await One.Usage.ReadAsync("org", false, new DateOnly(2026, 3, 1))).Milliseconds);
    }

    [Fact]
    public async Task PausedTime_IsFree_AndAPausedSandboxLeavesItsPlace()
    {
        var start = new DateTimeOffset(2026, 3, 10, 8, 0, 0, TimeSpan.Zero);
        var seen = await RunningAsync("sbx-a", start);
        var paused = seen.Record with { State = SandboxState.Paused, PausedAt = start.AddMinutes(10) };
        await One.Store.SaveAsync(seen, paused);
        Assert.Empty(await LiveAsync());

        Clock.Now = start.AddHours(3);
        seen = (await One.Store.FindAsync("org", "sbx-a"))!;
        var queued = paused with { State = SandboxState.Queued };
        Assert.Equal(SaveStatus.Saved, (await One.Store.AdmitAsync(seen, queued with { ResumedAt = Clock.Now }, Tight, Clock.Now)).Status);
        seen = (await One.Store.FindAsync("org", "sbx-a"))!;
        Clock.Now += TimeSpan.FromMinutes(5);
        await One.Store.SaveAsync(seen, seen.Record with { State = SandboxState.Ended, EndedAt = Clock.Now });

        Assert.Equal(15 * 60_000, await MeteredAsync());
    }

    [Fact]
    public async Task AResume_IsRefusedWhereThePlanHasNoRoom()
    {
        var seen = await RunningAsync("sbx-a", Clock.Now);
        await One.Store.SaveAsync(seen, seen.Record with { State = SandboxState.Paused, PausedAt = Clock.Now });
        await One.Store.CreateAsync(Record("sbx-b"), Tight, "", []);
        seen = (await One.Store.FindAsync("org", "sbx-a"))!;

        var refused = await One.Store.AdmitAsync(seen, seen.Record with { State = SandboxState.Queued }, Tight, Clock.Now);

        Assert.Equal((SaveStatus.ConcurrencyLimit, "1"), (refused.Status, refused.Value));
        Assert.Equal(SandboxState.Paused, (await One.Store.FindAsync("org", "sbx-a"))!.Record.State);
    }

    [Fact]
    public async Task WhenTheHoursAreUsedUp_WhatRunsIsEnded_AndTheReasonIsTheQuota()
    {
        await One.AddOrganizationAsync("small", "free");
        var created = await One.CreateAsync(organization: "small");
        await One.UntilAsync(created.Id, SandboxState.Ready, "small");
        // All but a minute of the month's five hours.
        await RedisAsync(db => db.HashSetAsync($"{{small}}:usage:{Clock.Now.UtcDateTime:yyyy-MM}", "1", 299 * 60_000L));
        One.Driver.Drive("small", created.Id);
        await Eventually.Async("it is due when the hours are used up", async () =>
            await RedisAsync(db => db.SortedSetScoreAsync("{due:0}", $"small|{created.Id}")) < Clock.Now.AddSeconds(61).ToUnixTimeMilliseconds());

        Clock.Now += TimeSpan.FromSeconds(61);
        await One.WorkAsync();

        var ended = await One.UntilAsync(created.Id, SandboxState.Ended, "small");
        Assert.Equal("quota", ended.EndReason);
    }

    [Fact]
    public async Task HoursThatSeveralUseUp_AreNotUsedTwice()
    {
        await One.AddOrganizationAsync("small", "builder");
        // All but half an hour of the month's fifty.
        await RedisAsync(db => db.HashSetAsync($"{{small}}:usage:{Clock.Now.UtcDateTime:yyyy-MM}", "ms", (49 * 60 + 30) * 60_000L));
        await RedisAsync(db => db.HashSetAsync($"{{small}}:usage:{Clock.Now.UtcDateTime:yyyy-MM}", "1", (49 * 60 + 30) * 60_000L));
        await One.WorkAsync();
        var ids = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            var created = await One.CreateAsync(organization: "small");
            await One.UntilAsync(created.Id, SandboxState.Ready, "small");
            ids.Add(created.Id);
        }

        // Each is looked at while the three together have something left.
        foreach (var id in ids)
        {
            await Eventually.Async("it is due before the three have used up the hours", async () =>
                await RedisAsync(db => db.SortedSetScoreAsync("{due:0}", $"small|{id}")) <= Clock.Now.AddMinutes(10).ToUnixTimeMilliseconds());
        }

        Clock.Now += TimeSpan.FromMinutes(10);
        foreach (var id in ids)
        {
            Assert.Equal("quota", (await One.UntilAsync(id, SandboxState.Ended, "small")).EndReason);
        }
    }

    [Fact]
    public async Task AtTheLimit_WhoAsksToWaitsInOrder_AndStartsWhenOneEnds()
    {
        await One.AddOrganizationAsync("small", "free");
        var first = await One.CreateAsync(organization: "small");
        var expires = (await One.UntilAsync(first.Id, SandboxState.Ready, "small")).ExpiresAt!.Value;

        var second = await One.CreateAsync(new CreateRequest { QueueAtLimit = true }, "small");
        var third = await One.CreateAsync(new CreateRequest { QueueAtLimit = true }, "small");

        Assert.Equal((SandboxState.Queued, true), (second.State, second.Waiting));
        var (place, behind) = ((await One.Line.PlaceAsync(second))!, (await One.Line.PlaceAsync(third))!);
        Assert.Equal((1, 2), (place.Position, behind.Position));
        Assert.Equal(expires.ToUnixTimeMilliseconds(), place.EstimatedStartAt.ToDateTimeOffset().ToUnixTimeMilliseconds());
        Assert.Null(behind.EstimatedStartAt);
        Assert.Equal([first.Id], await LiveAsync("small"));

        await One.Ender.EndAsync("small", first.Id, "client");
        await One.UntilAsync(second.Id, SandboxState.Ready, "small");
        Assert.Equal([second.Id], await LiveAsync("small"));
        Assert.Equal(1, (await One.Line.PlaceAsync(third))!.Position);

        await One.Ender.EndAsync("small", second.Id, "client");
        await One.UntilAsync(third.Id, SandboxState.Ready, "small");
        Assert.Null(await One.Line.PlaceAsync((await One.Store.FindAsync("small", third.Id))!.Record));
    }

    [Fact]
    public async Task WhoDidNotAskToWait_DoesNotPassThoseWhoDo()
    {
        await One.AddOrganizationAsync("small", "free");
        var first = await One.CreateAsync(organization: "small");
        await One.UntilAsync(first.Id, SandboxState.Ready, "small");
        Fleet.Scheduler.Full = true;
        var waiting = await One.CreateAsync(new CreateRequest { QueueAtLimit = true }, "small");
        await One.Ender.EndAsync("small", first.Id, "client");
        await One.UntilAsync(first.Id, SandboxState.Ended, "small");

        Assert.Equal("CONCURRENT_SANDBOX_LIMIT", (await RefusedAsync(One, organization: "small")).Reason);
        await Eventually.Async("the waiting one has the room", async () => (await LiveAsync("small")).SequenceEqual([waiting.Id]));
    }

    [Fact]
    public async Task WhoWaits_IsStartedByAnotherReplica_WhereTheFirstOneDied()
    {
        await One.AddOrganizationAsync("small", "free");
        var first = await One.CreateAsync(organization: "small");
        await One.UntilAsync(first.Id, SandboxState.Ready, "small");
        var waiting = await One.CreateAsync(new CreateRequest { QueueAtLimit = true }, "small");
        await One.KillAsync();

        var two = NewReplica();
        await two.Ender.EndAsync("small", first.Id, "client");
        await two.UntilAsync(first.Id, SandboxState.Ended, "small");
        Clock.Now += TimeSpan.FromSeconds(100);
        await two.WorkAsync();

        await two.UntilAsync(waiting.Id, SandboxState.Ready, "small");
        Assert.Equal(["created", "assigned", "ready"], await EventsAsync(waiting.Id, "small"));
    }

    [Fact]
    public async Task WhoWaits_IsEndedLikeAnyOther_AndMakesRoomInTheLine()
    {
        await One.AddOrganizationAsync("small", "free");
        await One.CreateAsync(organization: "small");
        var second = await One.CreateAsync(new CreateRequest { QueueAtLimit = true }, "small");
        var third = await One.CreateAsync(new CreateRequest { QueueAtLimit = true }, "small");

        await One.Ender.EndAsync("small", second.Id, "client");
        await One.UntilAsync(second.Id, SandboxState.Ended, "small");

        Assert.Equal(1, (await One.Line.PlaceAsync(third))!.Position);
        Assert.Equal(0, await MeteredAsync("small"));
    }

    [Fact]
    public async Task WhoWaitsTooLong_FailsWithTheReason()
    {
        var patient = NewReplica(plans: new PlanOptions { QueuePatience = TimeSpan.FromHours(2) });
        await patient.AddOrganizationAsync("small", "scale");
        await patient.AddOrganizationAsync("tiny", "free");
        await patient.CreateAsync(organization: "tiny");
        var waiting = await patient.CreateAsync(new CreateRequest { QueueAtLimit = true }, "tiny");

        Clock.Now += TimeSpan.FromHours(2);
        patient.Driver.Drive("tiny", waiting.Id);

        var failed = await patient.UntilAsync(waiting.Id, SandboxState.Failed, "tiny");
        Assert.Equal(("queue_timeout", false), (failed.EndReason, failed.StartedAt.HasValue));
        Assert.Equal(0, await patient.Store.WaitingAsync("tiny", false));
    }

    [Fact]
    public async Task TheLineHasAnEnd()
    {
        await One.Store.CreateAsync(Record("sbx-a"), Tight, "", []);
        foreach (var id in new[] { "sbx-b", "sbx-c" })
        {
            Assert.Equal(SaveStatus.Saved, (await One.Store.CreateAsync(Record(id) with { Waiting = true }, Tight, "", [])).Status);
        }

        var refused = await One.Store.CreateAsync(Record("sbx-d") with { Waiting = true }, Tight, "", []);

        Assert.Equal((SaveStatus.WaitingLimit, "2"), (refused.Status, refused.Value));
    }

    [Fact]
    public async Task TwoHundredThatMayWait_OnTwoReplicas_StartTenAtATime_EachOnce()
    {
        Fleet.Scheduler.Full = true;
        var two = NewReplica(plans: new PlanOptions { Pro = { WaitingSandboxes = 200 } });
        var one = NewReplica(plans: new PlanOptions { Pro = { WaitingSandboxes = 200 } });

        var made = await Task.WhenAll(Enumerable.Range(0, 200).Select(i => (i % 2 == 0 ? one : two).CreateAsync(new CreateRequest { QueueAtLimit = true })));

        Assert.Equal(10, (await LiveAsync()).Count);
        Assert.Equal(190, await One.Store.WaitingAsync("org", false));
        Assert.Equal(200, made.Select(m => m.Id).Distinct().Count());
    }

    [Fact]
    public async Task TheLedger_SaysWhoEndedWhat_AndWhatItMet()
    {
        var created = await One.CreateAsync();
        var ready = await One.UntilAsync(created.Id, SandboxState.Ready);
        await One.Reconciler.ObserveAsync(ready.NodeId, new Corral.Sessions.V1.SandboxObservation
        {
            SandboxId = ready.Id,
            Generation = ready.Generation,
            Observed = Corral.Sessions.V1.Observed.Running,
            RunningCommands = 3,
            PolicyVersion = ready.Policy!.Version,
        });
        Clock.Now += TimeSpan.FromSeconds(7);
        await One.Ender.EndAsync("org", created.Id, "client", by: "key-of-ours");
        await One.UntilAsync(created.Id, SandboxState.Ended);

        var (records, _, total) = (await One.Terminations.ReadAsync("org", "", 10))!.Value;

        var ended = Assert.Single(records);
        Assert.Equal(1, total);
        Assert.Equal(("client", "key-of-ours", SandboxState.Active, 3), (ended.EndReason, ended.EndedBy, ended.StateBefore, ended.RunningCommands));
    }

    [Fact]
    public async Task WhatIsOver_IsForgottenByEveryListAfterThirtyDays_AndWhatLivesStays()
    {
        var old = await One.CreateAsync();
        await One.Ender.EndAsync("org", old.Id, "client");
        await One.UntilAsync(old.Id, SandboxState.Ended);
        var living = await One.CreateAsync(new CreateRequest { MaxDurationMs = 3_600_000 });
        await One.UntilAsync(living.Id, SandboxState.Ready);
        // After that it is left alone until it is due.
        await Eventually.Async("its room is confirmed", () => Fleet.Scheduler.Held[living.Id].Confirmed);
        Clock.Now += TimeSpan.FromDays(30) - TimeSpan.FromSeconds(1);
        Assert.Equal(1, (await One.Terminations.ReadAsync("org", "", 10))!.Value.Total);

        Clock.Now += TimeSpan.FromSeconds(1);

        Assert.Equal(0, (await One.Terminations.ReadAsync("org", "", 10))!.Value.Total);
        Assert.Equal([living.Id], (await One.Store.ListAsync("org", "", 10))!.Value.Ids);
    }

    [Fact]
    public async Task ThePagesOfTheLedger_NameEachOnce()
    {
        foreach (var i in Enumerable.Range(0, 5))
        {
            var seen = await RunningAsync($"sbx-{i}", Clock.Now);
            await One.Store.SaveAsync(seen, seen.Record with { State = SandboxState.Ended, EndedAt = Clock.Now.AddSeconds(i) });
        }

        var first = (await One.Terminations.ReadAsync("org", "", 3))!.Value;
        var second = (await One.Terminations.ReadAsync("org", first.Last!, 3))!.Value;

        Assert.Equal(["sbx-4", "sbx-3", "sbx-2", "sbx-1", "sbx-0"], first.Records.Concat(second.Records).Select(r => r.Id));
        Assert.Null(second.Last);
        Assert.Null(await One.Terminations.ReadAsync("org", "sbx-of-nobody", 3));
    }

    private static PlanLimits Roomy(int hours) => new() { ConcurrentSandboxes = 100, MaxDuration = TimeSpan.FromHours(100), HoursPerMonth = hours };

    private static async Task<RpcErrorInfo> RefusedAsync(Replica replica, CreateRequest? request = null, string organization = "org") =>
        RpcErrors.Read(await Assert.ThrowsAsync<RpcException>(() => replica.CreateAsync(request, organization)));

    private async Task<Versioned> RunningAsync(string id, DateTimeOffset since)
    {
        await One.Store.CreateAsync(Record(id), Roomy(1000), "", []);
        var seen = (await One.Store.FindAsync("org", id))!;
        await One.Store.SaveAsync(seen, seen.Record with { State = SandboxState.Ready, StartedAt = since, ExpiresAt = since.AddHours(100) });
        return (await One.Store.FindAsync("org", id))!;
    }

    private SandboxRecord Record(string id) => new()
    {
        Id = id,
        Organization = "org",
        State = SandboxState.Queued,
        Runtime = "bun",
        Size = "standard",
        MaxDurationMs = 60_000,
        CreatedAt = Clock.Now,
    };
}
