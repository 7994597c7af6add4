using Corral.Scheduler.Placement;
using Corral.Scheduler.V1;
using Corral.Tests.Support;
using Google.Protobuf.WellKnownTypes;
using Xunit;

namespace Corral.Scheduler.Tests;

/// <summary>Reservations and the queue, on a real Redis, with two replicas of the scheduler.</summary>
public sealed class ReservationTests : IAsyncLifetime
{
    private readonly ManualClock _clock = new();
    private RedisServer _server = null!;
    private Replica _one = null!;
    private Replica _two = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await RedisServer.StartAsync();
        _one = new Replica(_server, _clock);
        _two = new Replica(_server, _clock);
    }

    public async ValueTask DisposeAsync()
    {
        await _one.DisposeAsync();
        await _two.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task TwoHundredAtOnceFromTwoReplicas_GetExactlyTheTenPlacesThereAre()
    {
        await _one.Nodes.DescribeAsync(Fleet.Node("a", slots: 6));
        await _one.Nodes.DescribeAsync(Fleet.Node("b", slots: 4));

        var outcomes = await Task.WhenAll(Enumerable.Range(0, 200).Select(i =>
            (i % 2 == 0 ? _one : _two).Reservations.ReserveAsync(Fleet.Request($"s{i}", $"org{i % 7}"))));

        Assert.Equal(10, outcomes.OfType<ReserveOutcome.Reserved>().Count());
        Assert.Equal(190, outcomes.OfType<ReserveOutcome.Queued>().Count());
        Assert.Equal([6, 4], (await _two.Nodes.ReadAsync()).Select(n => n.Sandboxes));
    }

    [Fact]
    public async Task TheSameRequestAgain_HoldsTheSamePlace()
    {
        await _one.Nodes.DescribeAsync(Fleet.Node("a"));

        var first = await Reserve("s");
        var second = await Reserve("s");

        Assert.Equal(Assert.IsType<ReserveOutcome.Reserved>(first).Reservation.NodeId, Assert.IsType<ReserveOutcome.Reserved>(second).Reservation.NodeId);
        Assert.Equal(1, (await _one.Nodes.ReadAsync())[0].Sandboxes);
    }

    [Fact]
    public async Task ANewGeneration_GivesTheOldOnesRoomBack_AndAnOldOneIsStale()
    {
        await _one.Nodes.DescribeAsync(Fleet.Node("a"));
        await Reserve("s", generation: 1);

        Assert.IsType<ReserveOutcome.Reserved>(await Reserve("s", generation: 2));
        Assert.IsType<ReserveOutcome.Stale>(await Reserve("s", generation: 1));
        Assert.Equal(1, (await _one.Nodes.ReadAsync())[0].Sandboxes);
    }

    [Fact]
    public async Task AReservationThatIsNeverConfirmed_IsGivenBack()
    {
        await _one.Nodes.DescribeAsync(Fleet.Node("a", slots: 1));
        await Reserve("s");

        _clock.Now += TimeSpan.FromSeconds(91);
        await _one.Nodes.SeenAsync("a", accepting: true);

        Assert.False(await _one.Reservations.ConfirmAsync("t", 1));
        var queued = await Reserve("t");
        var again = queued is ReserveOutcome.Queued ? await Reserve("t") : queued;
        Assert.IsType<ReserveOutcome.Reserved>(again);
        Assert.False(await _one.Reservations.ConfirmAsync("s", 1));
    }

    [Fact]
    public async Task AConfirmedReservation_LastsUntilItIsReleased_AndReleasingTwiceIsHarmless()
    {
        await _one.Nodes.DescribeAsync(Fleet.Node("a", slots: 1));
        await Reserve("s");
        Assert.True(await _one.Reservations.ConfirmAsync("s", 1));
        _clock.Now += TimeSpan.FromDays(1);
        await _one.Nodes.SeenAsync("a", accepting: true);

        Assert.IsType<ReserveOutcome.Queued>(await Reserve("t"));
        await _one.Reservations.ReleaseAsync("s", 1);
        await _one.Reservations.ReleaseAsync("s", 1);

        Assert.IsType<ReserveOutcome.Reserved>(await Reserve("t"));
        Assert.Equal(1, (await _one.Nodes.ReadAsync())[0].Sandboxes);
    }

    [Fact]
    public async Task TheQueue_TakesTurnsBetweenOrganisations_AndNobodyOvertakes()
    {
        await _one.Nodes.DescribeAsync(Fleet.Node("a", slots: 1));
        await Reserve("holder", "other");
        foreach (var (sandbox, organization) in new[] { ("a1", "A"), ("a2", "A"), ("a3", "A"), ("b1", "B"), ("b2", "B") })
        {
            Assert.IsType<ReserveOutcome.Queued>(await Reserve(sandbox, organization));
        }

        var order = new List<string>();
        var holder = "holder";
        for (var turn = 0; turn < 5; turn++)
        {
            await _one.Reservations.ReleaseAsync(holder, 1);
            Assert.IsType<ReserveOutcome.Queued>(await Reserve($"late{turn}", "C"));
            foreach (var (sandbox, organization) in new[] { ("b2", "B"), ("a3", "A"), ("b1", "B"), ("a2", "A"), ("a1", "A") }.Where(w => !order.Contains(w.Item1)))
            {
                if (await Reserve(sandbox, organization) is ReserveOutcome.Reserved)
                {
                    order.Add(sandbox);
                    holder = sandbox;
                    break;
                }
            }

            await _one.Reservations.ReleaseAsync($"late{turn}", 1);
        }

        Assert.Equal(["a1", "b1", "a2", "b2", "a3"], order);
    }

    [Fact]
    public async Task WhoWaitsForANodeThatIsGoneOrFull_HoldsUpNobodyElse()
    {
        await _one.Nodes.DescribeAsync(Fleet.Node("roomy", isolations: "runc"));
        await _one.Nodes.DescribeAsync(Fleet.Node("gone", isolations: "kata"));
        await _one.Nodes.DescribeAsync(Fleet.Node("full", slots: 1, isolations: "runsc"));
        await _one.Nodes.CordonAsync("gone", cordoned: true);
        await Reserve("holder", isolation: "runsc");

        Assert.IsType<ReserveOutcome.Queued>(await Reserve("no node", isolation: "kata"));
        Assert.IsType<ReserveOutcome.Queued>(await Reserve("no room", isolation: "runsc"));

        Assert.IsType<ReserveOutcome.Reserved>(await Reserve("newcomer", isolation: "runc"));
        Assert.Equal(3, Assert.IsType<ReserveOutcome.Queued>(await Reserve("second for the full one", isolation: "runsc")).Position);
        await _one.Nodes.CordonAsync("gone", cordoned: false);
        Assert.IsType<ReserveOutcome.Reserved>(await Reserve("no node", isolation: "kata"));
    }

    [Fact]
    public async Task RoomThatBecomesFree_IsToldToTheFirstWhoCanUseIt()
    {
        await _one.Nodes.DescribeAsync(Fleet.Node("a", slots: 1, isolations: "runc"));
        await _one.Nodes.DescribeAsync(Fleet.Node("b", slots: 1, isolations: "runsc"));
        await Reserve("on a", isolation: "runc");
        await Reserve("on b", isolation: "runsc");
        await Reserve("first for a", isolation: "runc");
        await Reserve("first for b", isolation: "runsc");
        await Reserve("second for b", isolation: "runsc");
        using var over = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await using var grants = _two.Grants.WatchAsync(over.Token).GetAsyncEnumerator(over.Token);
        var told = grants.MoveNextAsync();
        var generation = 1;

        // Until the watch has begun, nobody hears of it: the room is given back, and then the place in the queue, again and again.
        await Eventually.Async("somebody is told", async () =>
        {
            await _one.Reservations.ReleaseAsync("on b", generation++);
            await Reserve("on b", generation: generation, isolation: "runsc");
            return told.IsCompleted;
        });

        Assert.True(await told);
        Assert.Equal("first for b", grants.Current.SandboxId);
    }

    [Fact]
    public async Task AnEmptyFleet_CannotTakeAnything() =>
        Assert.IsType<ReserveOutcome.Impossible>(await Reserve("s"));

    [Fact]
    public async Task ACordonedNode_GetsNothingNew()
    {
        await _one.Nodes.DescribeAsync(Fleet.Node("a"));
        Assert.True(await _one.Nodes.CordonAsync("a", cordoned: true));

        Assert.IsType<ReserveOutcome.Queued>(await Reserve("s"));
        Assert.False(await _one.Nodes.CordonAsync("nobody", cordoned: true));
    }

    [Fact]
    public async Task ADrainedNode_GetsNothingNew_EvenIfItComesBack_UntilItIsTakenBackIn()
    {
        var drain = new NodeDrain { Reason = "A new kernel.", Deadline = Timestamp.FromDateTimeOffset(_clock.Now + TimeSpan.FromHours(1)) };
        await _one.Nodes.DescribeAsync(Fleet.Node("a"));
        await Reserve("before");
        Assert.True(await _one.Nodes.DrainAsync("a", drain));
        Assert.IsType<ReserveOutcome.Queued>(await Reserve("s"));

        await _two.Nodes.DescribeAsync(Fleet.Node("a"));
        var node = (await _two.Nodes.ReadAsync()).Single();
        Assert.Equal((true, drain, 1), (node.Cordoned, node.Drain, node.Sandboxes));
        Assert.IsType<ReserveOutcome.Queued>(await Reserve("s"));

        Assert.True(await _one.Nodes.CordonAsync("a", cordoned: false));
        Assert.Null((await _one.Nodes.ReadAsync()).Single().Drain);
        Assert.IsType<ReserveOutcome.Reserved>(await Reserve("s"));
        Assert.False(await _one.Nodes.DrainAsync("nobody", drain));
    }

    private Task<ReserveOutcome> Reserve(string sandbox, string organization = "org", long generation = 1, string isolation = "")
    {
        var request = Fleet.Request(sandbox, organization, generation);
        request.Isolation = isolation;
        return _one.Reservations.ReserveAsync(request);
    }
}
