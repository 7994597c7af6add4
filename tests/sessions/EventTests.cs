using Corral.Api.V1;
using Corral.Sessions.Events;
using Corral.Sessions.Records;
using Corral.Tests.Support;
using Microsoft.Extensions.Options;
using Xunit;

namespace Corral.Sessions.Tests;

/// <summary>Events: what has a name is told once and in order, and who falls behind is told so.</summary>
public sealed class EventTests : SessionsTest
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task ALife_IsToldInOrder_WithWhatWasRightAtEachStep()
    {
        var created = await One.CreateAsync(new CreateRequest { Region = "fra" });
        await One.UntilAsync(created.Id, SandboxState.Ready);
        Clock.Now += TimeSpan.FromSeconds(3);
        await One.Ender.EndAsync("org", created.Id, "client");
        await One.UntilAsync(created.Id, SandboxState.Ended);

        var page = await One.Events.ReadAsync("org", created.Id, 0, 10);
        var facts = page.Events.Select(e => EventFacts.Parse(e.Data)).ToList();

        Assert.Equal(["sandbox.created", "sandbox.assigned", "sandbox.ready", "sandbox.ending", "sandbox.ended"], page.Events.Select(e => e.Type));
        Assert.Equal(["queued", "assigning", "ready", "ending", "ended"], facts.Select(f => f.Status));
        Assert.Equal([1, 2, 3, 4, 5], page.Events.Select(e => e.Sequence));
        Assert.All(page.Events, e => Assert.Matches("^evt-[a-z][a-z2-7]{25}$", e.Id));
        Assert.Equal(("fra", "bun", "standard"), (facts[0].Region, facts[0].Runtime, facts[0].Size));
        Assert.Null(facts[1].StartedAt);
        Assert.Equal(("client", 3000L), (facts[4].EndReason, facts[4].Duration));
    }

    [Fact]
    public async Task AChangeThatHasNoName_IsNoEvent()
    {
        var created = await One.CreateAsync();
        await One.UntilAsync(created.Id, SandboxState.Ready);

        await One.Policies.ReplaceAsync("org", created.Id, new NetworkPolicy { Mode = "deny-all" }, null);
        await Eventually.Async("the policy is in force", async () => (await One.Store.FindAsync("org", created.Id))!.Record.Policy is { InForce: 2 });

        Assert.Equal(["created", "assigned", "ready"], await EventsAsync(created.Id));
    }

    [Theory]
    [InlineData(SandboxState.Queued, SandboxState.Assigning, false, "sandbox.assigned")]
    [InlineData(SandboxState.Assigning, SandboxState.Queued, false, null)]
    [InlineData(SandboxState.Assigning, SandboxState.Ready, false, "sandbox.ready")]
    [InlineData(SandboxState.Assigning, SandboxState.Ready, true, "sandbox.resumed")]
    [InlineData(SandboxState.Ready, SandboxState.Active, true, null)]
    [InlineData(SandboxState.Active, SandboxState.Ready, true, null)]
    [InlineData(SandboxState.Ready, SandboxState.Pausing, true, null)]
    [InlineData(SandboxState.Pausing, SandboxState.Paused, true, "sandbox.paused")]
    [InlineData(SandboxState.Paused, SandboxState.Queued, true, null)]
    [InlineData(SandboxState.Paused, SandboxState.Ending, true, "sandbox.ending")]
    [InlineData(SandboxState.Ending, SandboxState.Ended, true, "sandbox.ended")]
    [InlineData(SandboxState.Ready, SandboxState.Failed, true, "sandbox.failed")]
    [InlineData(SandboxState.Failed, SandboxState.Failed, true, null)]
    public void AChange_HasTheNameOfTheDocuments(SandboxState from, SandboxState to, bool ranBefore, string? name)
    {
        var before = Record(from) with { StartedAt = ranBefore ? Clock.Now : null };

        Assert.Equal(name, EventTypes.Between(before, before with { State = to }));
    }

    [Fact]
    public async Task ManyThatAppendAtOnce_LeaveNoGap_AndAWatcherOnAnotherReplicaSeesEachOnceInOrder()
    {
        var two = NewReplica();
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(Token);
        enough.CancelAfter(TimeSpan.FromSeconds(60));
        var seen = new List<long>();
        var watching = Task.Run(
            async () =>
            {
                await foreach (var page in two.Watch.FollowAsync("org", "", 0, enough.Token))
                {
                    Assert.Equal(0, page.Missed);
                    seen.AddRange(page.Events.Select(e => e.Sequence));
                    if (seen.Count == 500)
                    {
                        return;
                    }
                }
            },
            Token);

        await Task.WhenAll(Enumerable.Range(0, 500).Select(i => AppendAsync(One.Events, $"sbx-{i % 7}")));
        await watching;

        Assert.Equal(Enumerable.Range(1, 500).Select(i => (long)i), seen);
    }

    [Fact]
    public async Task AReaderThatFellBehindWhatIsKept_IsToldByHowMuch()
    {
        var small = NewLog(new EventOptions { MostKept = 5 });
        for (var i = 0; i < 12; i++)
        {
            await AppendAsync(small, i % 2 == 0 ? "sbx-even" : "sbx-odd");
        }

        var all = await small.ReadAsync("org", 3, 100);
        var even = await small.ReadAsync("org", "sbx-even", 3, 100);

        Assert.Equal((4, 12), (all.Missed, all.Next));
        Assert.Equal([8, 9, 10, 11, 12], all.Events.Select(e => e.Sequence));
        Assert.Equal((2, 12), (even.Missed, even.Next));
        Assert.Equal([9, 11], even.Events.Select(e => e.Sequence));
        Assert.Equal(0, (await small.ReadAsync("org", 7, 100)).Missed);
    }

    [Fact]
    public async Task WhatIsOlderThanItIsKept_Goes_AndTheNumbersGoOn()
    {
        await AppendAsync(One.Events, "sbx-a");
        await AppendAsync(One.Events, "sbx-a");
        Clock.Now += TimeSpan.FromDays(29);
        await AppendAsync(One.Events, "sbx-a");
        Assert.Equal([1, 2, 3], (await One.Events.ReadAsync("org", 0, 10)).Events.Select(e => e.Sequence));

        Clock.Now += TimeSpan.FromDays(2);
        await AppendAsync(One.Events, "sbx-a");

        var page = await One.Events.ReadAsync("org", 0, 10);
        Assert.Equal((2, 4), (page.Missed, page.Next));
        Assert.Equal([3, 4], page.Events.Select(e => e.Sequence));
    }

    [Fact]
    public async Task ALogThatIsGoneAsAWhole_IsMissed_ToItsLastEvent()
    {
        await AppendAsync(One.Events, "sbx-a");
        await AppendAsync(One.Events, "sbx-a");
        await RedisAsync(db => db.KeyDeleteAsync("{org}:event-log"));

        var page = await One.Events.ReadAsync("org", 1, 10);

        Assert.Equal((0, 1, 2), (page.Events.Count, page.Missed, page.Next));
        await AppendAsync(One.Events, "sbx-a");
        Assert.Equal([3], (await One.Events.ReadAsync("org", 2, 10)).Events.Select(e => e.Sequence));
    }

    [Fact]
    public async Task ASandboxesEvents_ComeInPages()
    {
        for (var i = 0; i < 10; i++)
        {
            await AppendAsync(One.Events, i % 2 == 0 ? "sbx-even" : "sbx-odd");
        }

        var first = await One.Events.ReadAsync("org", "sbx-odd", 0, 3);
        var second = await One.Events.ReadAsync("org", "sbx-odd", first.Next, 3);
        var third = await One.Events.ReadAsync("org", "sbx-odd", second.Next, 3);

        Assert.Equal([2, 4, 6], first.Events.Select(e => e.Sequence));
        Assert.Equal([8, 10], second.Events.Select(e => e.Sequence));
        Assert.Equal((0, 10, 0), (third.Events.Count, third.Next, third.Missed));
    }

    [Fact]
    public async Task OneOrganisation_SeesNothingOfAnother()
    {
        await AppendAsync(One.Events, "sbx-a");

        Assert.Empty((await One.Events.ReadAsync("other", 0, 10)).Events);
        Assert.Empty((await One.Events.ReadAsync("other", "sbx-a", 0, 10)).Events);
    }

    [Fact]
    public async Task RedisKilledAndRestartedUnderLoad_LosesNoAcknowledgedEvent_AndTellsNoneTwice()
    {
        var acknowledged = new System.Collections.Concurrent.ConcurrentBag<string>();
        var writers = Enumerable.Range(0, 20).Select(i => Task.Run(
            async () =>
            {
                for (var n = 0; n < 100; n++)
                {
                    var record = Record(SandboxState.Queued) with { Id = $"sbx-{i}-{n}" };
                    try
                    {
                        var result = await One.Store.CreateAsync(record, new() { ConcurrentSandboxes = 100_000, HoursPerMonth = 1000, MaxDuration = TimeSpan.FromHours(1) }, "", []);
                        Assert.Equal(SaveStatus.Saved, result.Status);
                        acknowledged.Add(record.Id);
                    }
                    catch (Corral.Hosting.DependencyUnavailableException)
                    {
                        // Not acknowledged.
                    }
                }
            },
            Token)).ToList();
        await Eventually.Async("some creates are acknowledged", () => acknowledged.Count > 100);

        Server.Kill();
        await Server.RestartAsync();
        await Task.WhenAll(writers);
        await Eventually.Async("redis answers again", async () => await AnswersAsync());

        var told = (await One.Events.ReadAsync("org", 0, 10_000)).Events;
        Assert.Empty(acknowledged.Except(told.Select(e => e.SandboxId)));
        Assert.Equal(told.Count, told.Select(e => e.SandboxId).Distinct().Count());
        Assert.Equal(Enumerable.Range(1, told.Count).Select(n => (long)n), told.Select(e => e.Sequence));
    }

    private async Task<bool> AnswersAsync()
    {
        try
        {
            return await One.Events.LastAsync("org") > 0;
        }
        catch (Corral.Hosting.DependencyUnavailableException)
        {
            return false;
        }
    }

    private EventLog NewLog(EventOptions options) => new(One.Redis, Options.Create(options), Clock);

    private static Task AppendAsync(EventLog log, string sandboxId) =>
        log.AppendAsync("org", EventTypes.SandboxReady, sandboxId, new EventFacts { Id = sandboxId });

    private SandboxRecord Record(SandboxState state) => new()
    {
        Id = "sbx-a",
        Organization = "org",
        State = state,
        Runtime = "bun",
        Size = "standard",
        MaxDurationMs = 60_000,
        CreatedAt = Clock.Now,
    };
}
