using Corral.Scheduler.Nodes;
using Corral.Scheduler.Placement;
using Xunit;

namespace Corral.Scheduler.Tests;

/// <summary>Where a sandbox should run.</summary>
public sealed class PlacerTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly SchedulerOptions Options = new();

    [Fact]
    public void TheAskedRegion_ComesFirst_AndAnyOtherAfterIt() =>
        Assert.Equal(["lhr", "iad"], Rank([State("iad", region: "iad"), State("lhr", region: "lhr", sandboxes: 5)], r => r.Region = "lhr"));

    [Fact]
    public void TheLeastCommitted_ComesFirst() =>
        Assert.Equal(["idle", "half", "busy"], Rank([State("busy", sandboxes: 9), State("idle"), State("half", sandboxes: 5)]));

    [Fact]
    public void ANodeThatIsFullCordonedSilentOrLeaving_IsLeftOut() =>
        Assert.Equal(["fine"], Rank(
        [
            State("full", sandboxes: 10), State("cordoned") with { Cordoned = true }, State("silent") with { LastSeen = Now - TimeSpan.FromSeconds(16) },
            State("leaving") with { Accepting = false }, State("fine", sandboxes: 9),
        ]));

    [Fact]
    public void ANodeWithoutTheTemplateOrIsolation_IsLeftOut()
    {
        Assert.Empty(Rank([State("a")], r => r.Template = "full"));
        Assert.Equal(["b"], Rank([State("a", isolations: "runc"), State("b", isolations: "runsc")], r => r.Isolation = "runsc"));
    }

    [Fact]
    public void AnExcludedNode_IsLeftOut_WhileAnotherIsThere()
    {
        Assert.Equal(["b"], Rank([State("a"), State("b")], r => r.ExcludedNodeIds.Add("a")));
        Assert.Empty(Rank([State("a"), State("b", sandboxes: 10)], r => r.ExcludedNodeIds.Add("a")));
        Assert.Equal(["a"], Rank([State("a"), State("b") with { Cordoned = true }], r => r.ExcludedNodeIds.Add("a")));
        Assert.Equal(["a"], Rank([State("a")], r => r.ExcludedNodeIds.Add("a")));
    }

    [Fact]
    public void WhatNoEmptyNodeCouldTake_IsImpossible_AndWhatWaitsForRoomIsNot()
    {
        var large = Fleet.Request("s");
        large.Shape.MemoryBytes = 1000 * Fleet.Gibibyte;

        Assert.False(Placer.Rank([State("a")], large, Now, Options).Possible);
        Assert.True(Placer.Rank([State("a", sandboxes: 10)], Fleet.Request("s"), Now, Options).Possible);
    }

    [Fact]
    public void NoCandidate_EverLacksRoom()
    {
        var random = new Random(20260101);
        for (var round = 0; round < 2_000; round++)
        {
            var fleet = Enumerable.Range(0, random.Next(1, 8)).Select(i => State($"n{i}", slots: random.Next(1, 12), sandboxes: random.Next(0, 12))).ToList();
            var ranking = Placer.Rank(fleet, Fleet.Request("s"), Now, Options);

            Assert.All(ranking.Candidates, node => Assert.True(node.Sandboxes < node.Description.MaxSandboxes));
            Assert.Equal(fleet.Exists(n => n.Sandboxes < n.Description.MaxSandboxes), ranking.Candidates.Count > 0);
        }
    }

    private static List<string> Rank(IReadOnlyList<NodeState> fleet, Action<V1.ReserveRequest>? change = null)
    {
        var request = Fleet.Request("s");
        change?.Invoke(request);
        return [.. Placer.Rank(fleet, request, Now, Options).Candidates.Select(n => n.Id)];
    }

    private static NodeState State(string id, int slots = 10, int sandboxes = 0, string region = "iad", params string[] isolations) => new(
        Fleet.Node(id, slots, region, isolations),
        2000L * sandboxes, 4 * Fleet.Gibibyte * sandboxes, 10 * Fleet.Gibibyte * sandboxes, sandboxes,
        Cordoned: false, Accepting: true, LastSeen: Now);
}
