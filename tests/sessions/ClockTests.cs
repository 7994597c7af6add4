using Corral.Api.V1;
using Corral.Hosting;
using Corral.Sessions.Clock;
using Corral.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Corral.Sessions.Tests;

/// <summary>A host whose clock is set while sandboxes live.</summary>
public sealed class ClockTests : SessionsTest
{
    private readonly string _anchor = Path.Combine(CorralPaths.Home, Path.GetRandomFileName());
    private TimeSpan _sinceBoot = TimeSpan.FromDays(3);

    [Theory]
    [InlineData(1)]
    [InlineData(-1)]
    public async Task AClockThatIsSetByAnHour_EndsNothingEarly_AndNothingLate(int hours)
    {
        var replica = NewReplica(clock: NewClock());
        var created = await replica.CreateAsync(new CreateRequest { MaxDurationMs = 30 * 60_000 });
        await replica.UntilAsync(created.Id, SandboxState.Ready);

        Pass(TimeSpan.FromMinutes(29));
        Clock.Now += TimeSpan.FromHours(hours);
        await DriveAsync(replica, created.Id);
        Assert.Equal(SandboxState.Ready, (await replica.Store.FindAsync("org", created.Id))!.Record.State);

        Pass(TimeSpan.FromMinutes(1));
        replica.Driver.Drive("org", created.Id);
        var ended = await replica.UntilAsync(created.Id, SandboxState.Ended);

        Assert.Equal("expired", ended.EndReason);
        Assert.Equal(30 * 60_000, (ended.EndedAt!.Value - ended.StartedAt!.Value).TotalMilliseconds, 1.0);
    }

    [Fact]
    public async Task AReplicaThatStartsAfterTheJump_GoesOnByTheTimeOfTheOneBefore()
    {
        var created = await NewReplica(clock: NewClock()).CreateAsync(new CreateRequest { MaxDurationMs = 30 * 60_000 });
        await One.UntilAsync(created.Id, SandboxState.Ready);
        Clock.Now += TimeSpan.FromHours(1);

        var next = NewReplica(clock: NewClock());
        await DriveAsync(next, created.Id);

        Assert.Equal(SandboxState.Ready, (await next.Store.FindAsync("org", created.Id))!.Record.State);
    }

    [Fact]
    public void AHostThatWasStartedAnew_IsBelieved()
    {
        NewClock();
        Clock.Now += TimeSpan.FromHours(5);

        Assert.Equal(Clock.Now, NewClock("another boot").GetUtcNow());
    }

    [Fact]
    public void AClockThatIsFurtherOffThanACorrection_IsBelieved_AlsoByTheNextProcess()
    {
        var clock = NewClock();
        Clock.Now += TimeSpan.FromDays(2);
        Assert.Equal(Clock.Now, clock.GetUtcNow());

        Pass(TimeSpan.FromMinutes(1));

        Assert.Equal(Clock.Now, clock.GetUtcNow());
        Assert.Equal(Clock.Now, NewClock().GetUtcNow());
    }

    [Fact]
    public void AnAnchorThatCannotBeRead_IsNone()
    {
        File.WriteAllText(_anchor, "this is no anchor");

        Assert.Equal(Clock.Now, NewClock().GetUtcNow());
    }

    [Fact]
    public void TheTimeSinceBoot_GoesOn()
    {
        var before = BootTime.Elapsed;

        Assert.True(before > TimeSpan.Zero);
        Assert.True(BootTime.Elapsed >= before);
        Assert.NotEmpty(BootTime.BootId);
    }

    private void Pass(TimeSpan time)
    {
        _sinceBoot += time;
        Clock.Now += time;
    }

    private SteadyClock NewClock(string boot = "boot") => new(
        Clock, () => _sinceBoot, new ClockAnchor(_anchor, boot), TimeSpan.FromHours(6), NullLogger<SteadyClock>.Instance);

    // The due queue knows when it was looked at.
    private async Task DriveAsync(Replica replica, string id)
    {
        await RedisAsync(db => db.SortedSetRemoveAsync("{due:0}", $"org|{id}"));
        replica.Driver.Drive("org", id);
        await Eventually.Async("the driver has looked at it", async () =>
            await RedisAsync(db => db.SortedSetScoreAsync("{due:0}", $"org|{id}")) is not null);
    }
}
