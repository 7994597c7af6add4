namespace Corral.Egress.Tests.Lab;

/// <summary>A clock that stands still.</summary>
internal sealed class FrozenClock : TimeProvider
{
    public override long GetTimestamp() => 0;
}
