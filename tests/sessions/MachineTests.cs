using Corral.Api.V1;
using Corral.Sessions.Records;
using Xunit;

namespace Corral.Sessions.Tests;

/// <summary>The state machine, over all pairs of a state and an event.</summary>
public sealed class MachineTests
{
    private static readonly SandboxState[] Alive =
        [SandboxState.Queued, SandboxState.Assigning, SandboxState.Ready, SandboxState.Active, SandboxState.Pausing, SandboxState.Paused];

    // The whole machine, arrow by arrow.
    private static readonly Dictionary<(SandboxState, SandboxEvent), SandboxState> Picture = new()
    {
        [(SandboxState.Queued, SandboxEvent.Placed)] = SandboxState.Assigning,
        [(SandboxState.Assigning, SandboxEvent.Started)] = SandboxState.Ready,
        [(SandboxState.Assigning, SandboxEvent.Retried)] = SandboxState.Queued,
        [(SandboxState.Ready, SandboxEvent.WorkBegan)] = SandboxState.Active,
        [(SandboxState.Active, SandboxEvent.WorkStopped)] = SandboxState.Ready,
        [(SandboxState.Ready, SandboxEvent.Gone)] = SandboxState.Ended,
        [(SandboxState.Active, SandboxEvent.Gone)] = SandboxState.Ended,
        [(SandboxState.Ending, SandboxEvent.Gone)] = SandboxState.Ended,
        [(SandboxState.Ending, SandboxEvent.Broke)] = SandboxState.Ended,
    };

    static MachineTests()
    {
        foreach (var state in Alive)
        {
            Picture[(state, SandboxEvent.EndAsked)] = SandboxState.Ending;
            Picture[(state, SandboxEvent.Broke)] = SandboxState.Failed;
        }
    }

    [Fact]
    public void EveryArrowOfThePictureIsThere_AndNoOther()
    {
        foreach (var state in Enum.GetValues<SandboxState>())
        {
            foreach (var happened in Enum.GetValues<SandboxEvent>())
            {
                SandboxState? expected = Picture.TryGetValue((state, happened), out var next) ? next : null;
                Assert.True(expected == SandboxMachine.Next(state, happened), $"{state} and {happened}: {SandboxMachine.Next(state, happened)}");
            }
        }
    }

    [Theory]
    [InlineData(SandboxState.Ended)]
    [InlineData(SandboxState.Failed)]
    public void WhatIsOver_StaysOver(SandboxState state) =>
        Assert.All(Enum.GetValues<SandboxEvent>(), happened => Assert.Null(SandboxMachine.Next(state, happened)));

    [Fact]
    public void WhateverHappens_ASandboxCanStillComeToItsEnd()
    {
        foreach (var state in Enum.GetValues<SandboxState>().Except([SandboxState.Unspecified, SandboxState.Ended, SandboxState.Failed]))
        {
            var ending = state == SandboxState.Ending ? state : SandboxMachine.Next(state, SandboxEvent.EndAsked);
            Assert.Equal(SandboxState.Ending, ending);
        }

        Assert.Equal(SandboxState.Ended, SandboxMachine.Next(SandboxState.Ending, SandboxEvent.Gone));
    }
}
