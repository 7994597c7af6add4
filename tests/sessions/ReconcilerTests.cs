using Corral.Api.V1;
using Corral.Sessions.V1;
using Xunit;

namespace Corral.Sessions.Tests;

/// <summary>What nodes have, against what should be.</summary>
public sealed class ReconcilerTests : SessionsTest
{
    private static readonly string Unknown = Hosting.Ids.New("sbx-");

    [Fact]
    public async Task AnUnknownSandbox_IsToBeEnded()
    {
        Assert.False(await ObserveAsync(Unknown, 1, Observed.Running));
        Assert.False(await ObserveAsync(Unknown, 1, Observed.Starting));
        Assert.True(await ObserveAsync(Unknown, 1, Observed.Exited), "what is gone need not be ended");
    }

    [Fact]
    public async Task AnOlderGeneration_AndOneOnAnotherNode_AreToBeEnded()
    {
        var id = await ReadyAsync();

        Assert.True(await ObserveAsync(id, 1, Observed.Running));
        Assert.False(await ObserveAsync(id, 0, Observed.Running));
        Assert.False(await ObserveAsync(id, 2, Observed.Running));
        Assert.False(await One.Reconciler.ObserveAsync("b", new SandboxObservation { SandboxId = id, Generation = 1, Observed = Observed.Running }));
        Assert.Equal(SandboxState.Ready, await StateAsync(id));
    }

    [Fact]
    public async Task WhatIsOver_IsToBeEnded()
    {
        var id = await ReadyAsync();
        await One.Ender.EndAsync("org", id, "client");
        await One.UntilAsync(id, SandboxState.Ended);

        Assert.False(await ObserveAsync(id, 1, Observed.Running));
    }

    [Fact]
    public async Task RunningCommands_MakeItActive_AndReadyAgain_OnceEach()
    {
        var id = await ReadyAsync();
        var ready = await One.Store.FindAsync("org", id);

        foreach (var commands in new[] { 1, 2, 1, 0, 0, 3 })
        {
            Assert.True(await ObserveAsync(id, 1, Observed.Running, commands: commands));
        }

        var active = await One.Store.FindAsync("org", id);
        Assert.Equal((ready!.Version + 3, SandboxState.Active), (active!.Version, active.Record.State));
        Assert.Equal(["created", "assigned", "ready"], await EventsAsync(id));
    }

    [Theory]
    [InlineData("EXITED", SandboxState.Ended, "exited")]
    [InlineData("OUT_OF_MEMORY", SandboxState.Failed, "out_of_memory")]
    public async Task ASandboxThatStopsByItself_IsOverWithItsReason_AndGivesItsRoomBack(string reason, SandboxState state, string endReason)
    {
        var id = await ReadyAsync();

        Assert.True(await ObserveAsync(id, 1, Observed.Exited, reason));
        var over = await One.UntilAsync(id, state);

        Assert.Equal(endReason, over.EndReason);
        Assert.Empty(Fleet.Scheduler.Held);
        Assert.Empty(await LiveAsync());
    }

    [Fact]
    public async Task ASandboxThatANodeNoLongerHas_IsFailedOnce_HoweverManyHearOfIt()
    {
        var id = await ReadyAsync();
        Fleet.Nodes[0].Running.Clear();
        Clock.Now += TimeSpan.FromSeconds(10);
        var two = NewReplica();

        await Task.WhenAll(Enumerable.Range(0, 10).Select(i => (i % 2 == 0 ? One : two).Lost.FailMissingAsync("a", [], Clock.Now)));
        var failed = await One.UntilAsync(id, SandboxState.Failed);

        Assert.Equal(("node_lost", "The node no longer has the sandbox."), (failed.EndReason, failed.FailureReason));
        Assert.Equal(["created", "assigned", "ready", "failed"], await EventsAsync(id));
        Assert.Equal(10_000, await MeteredAsync());
        Assert.Empty(Fleet.Scheduler.Held);
    }

    [Fact]
    public async Task WhatTheNodeNamed_WhatIsOnAnother_AndWhatBecameReadySince_IsNotMissing()
    {
        var id = await ReadyAsync();
        var before = Clock.Now;
        Clock.Now += TimeSpan.FromSeconds(10);

        await One.Lost.FailMissingAsync("a", [(id, 1)], Clock.Now);
        await One.Lost.FailMissingAsync("b", [], Clock.Now);
        await One.Lost.FailMissingAsync("a", [], before);

        Assert.Equal(SandboxState.Ready, await StateAsync(id));
    }

    [Fact]
    public async Task OnlyAnotherGenerationNamed_IsMissing()
    {
        var id = await ReadyAsync();
        Clock.Now += TimeSpan.FromSeconds(10);

        await One.Lost.FailMissingAsync("a", [(id, 2)], Clock.Now);

        await One.UntilAsync(id, SandboxState.Failed);
    }

    [Fact]
    public async Task AStartThatFailsOnItsNode_IsTheDriversToJudge()
    {
        var failed = 0;
        string? id = null;
        Fleet.Calls.Before = async name =>
        {
            if (name == "start" && Interlocked.Exchange(ref failed, 1) == 0)
            {
                await ObserveAsync(id!, 1, Observed.Failed, "START_FAILED");
                throw Hosting.RpcErrors.Internal("START_FAILED", "No such luck.");
            }
        };
        Fleet.Scheduler.Full = true;
        id = (await One.CreateAsync()).Id;
        Fleet.Scheduler.Full = false;
        Clock.Now += TimeSpan.FromSeconds(6);
        await One.WorkAsync();
        await Corral.Tests.Support.Eventually.Async("it runs on the other node", () =>
        {
            Clock.Now += TimeSpan.FromMilliseconds(100);
            return Fleet.Nodes[1].Running.ContainsKey(id);
        });

        await One.UntilAsync(id, SandboxState.Ready);
        Assert.DoesNotContain("failed", await EventsAsync(id));
    }

    private async Task<string> ReadyAsync()
    {
        var created = await One.CreateAsync();
        await One.UntilAsync(created.Id, SandboxState.Ready);
        return created.Id;
    }

    private async Task<SandboxState> StateAsync(string id) => (await One.Store.FindAsync("org", id))!.Record.State;

    private Task<bool> ObserveAsync(string id, long generation, Observed observed, string reason = "", int commands = 0) =>
        One.Reconciler.ObserveAsync("a", new SandboxObservation
        {
            SandboxId = id,
            Generation = generation,
            Observed = observed,
            Reason = reason,
            RunningCommands = commands,
            PolicyVersion = 1,
        });
}
