using Corral.Api.V1;

namespace Corral.Sessions.Records;

/// <summary>What can happen to a sandbox.</summary>
internal enum SandboxEvent
{
    Placed,
    Started,
    Retried,
    WorkBegan,
    WorkStopped,
    EndAsked,
    Gone,
    Broke,
}

/// <summary>The state machine of a sandbox, as a pure function.</summary>
internal static class SandboxMachine
{
    /// <summary>The state that follows, or null where the event means nothing.</summary>
    public static SandboxState? Next(SandboxState state, SandboxEvent happened) => (state, happened) switch
    {
        (SandboxState.Queued, SandboxEvent.Placed) => SandboxState.Assigning,
        (SandboxState.Assigning, SandboxEvent.Started) => SandboxState.Ready,
        (SandboxState.Assigning, SandboxEvent.Retried) => SandboxState.Queued,
        (SandboxState.Ready, SandboxEvent.WorkBegan) => SandboxState.Active,
        (SandboxState.Active, SandboxEvent.WorkStopped) => SandboxState.Ready,
        (SandboxState.Queued or SandboxState.Assigning or SandboxState.Ready or SandboxState.Active or SandboxState.Pausing or SandboxState.Paused, SandboxEvent.EndAsked) => SandboxState.Ending,
        (SandboxState.Ending, SandboxEvent.Gone) => SandboxState.Ended,
        (SandboxState.Ready or SandboxState.Active, SandboxEvent.Gone) => SandboxState.Ended,
        (SandboxState.Unspecified or SandboxState.Ended or SandboxState.Failed, SandboxEvent.Broke) => null,
        (SandboxState.Ending, SandboxEvent.Broke) => SandboxState.Ended,
        (_, SandboxEvent.Broke) => SandboxState.Failed,
        _ => null,
    };
}
