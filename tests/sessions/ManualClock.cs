namespace Corral.Sessions.Tests;

/// <summary>A clock that a test moves. It begins at the present, because deadlines of calls are kept by the real one.</summary>
internal sealed class ManualClock : TimeProvider
{
    public DateTimeOffset Now { get; set; } = System.GetUtcNow();

    public override DateTimeOffset GetUtcNow() => Now;
}
