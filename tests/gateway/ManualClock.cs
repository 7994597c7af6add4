namespace Corral.Gateway.Tests;

/// <summary>A clock that a test moves, for what is measured: deadlines and timers of calls keep the real one.</summary>
internal sealed class ManualClock : TimeProvider
{
    private long _elapsed;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public void Advance(TimeSpan time) => Interlocked.Add(ref _elapsed, time.Ticks);

    public override long GetTimestamp() => Volatile.Read(ref _elapsed);
}
