namespace Corral.Sessions.Tests;

/// <summary>A clock that a test moves. It begins at the present, because deadlines of calls are kept by the real one.</summary>
internal sealed class ManualClock : TimeProvider
{
    private Action? _once;

    public DateTimeOffset Now { get; set; } = System.GetUtcNow();

    /// <summary>Steps in when the time is next read.</summary>
    public void Interrupt(Action once) => _once = once;

    public override DateTimeOffset GetUtcNow()
    {
        Interlocked.Exchange(ref _once, null)?.Invoke();
        return Now;
    }
}
