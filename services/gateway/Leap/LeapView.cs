using Corral.Leap.V1;
using LeapState = Corral.Leap.V1.SandboxState;
using NativeSandbox = Corral.Api.V1.Sandbox;
using NativeState = Corral.Api.V1.SandboxState;

namespace Corral.Gateway.Leap;

/// <summary>A sandbox as the leap dialect tells it.</summary>
internal static class LeapView
{
    private const long MillisecondsASecond = 1000;
    private const long SecondsAMinute = 60;

    public static Sandbox Of(NativeSandbox sandbox)
    {
        var seconds = RoundUp(sandbox.MaxDurationMs, MillisecondsASecond);
        var told = new Sandbox
        {
            Id = sandbox.SandboxId,
            TemplateId = sandbox.Runtime,
            Vcpu = sandbox.Shape.Vcpu,
            Memory = sandbox.Shape.MemoryMib,
            MemoryMib = sandbox.Shape.MemoryMib,
            Disk = sandbox.Shape.DiskMib,
            DiskMib = sandbox.Shape.DiskMib,
            Timeout = seconds,
            TimeoutMin = RoundUp(seconds, SecondsAMinute),
            State = StateOf(sandbox.State),
            NetworkPolicy = sandbox.NetworkPolicy,
            CreatedAt = sandbox.CreatedAt,
        };
        if (sandbox.HasFailureReason)
        {
            told.FailureReason = sandbox.FailureReason;
        }

        return told;
    }

    public static SandboxListItem ItemOf(NativeSandbox sandbox)
    {
        var item = new SandboxListItem
        {
            TemplateId = sandbox.Runtime,
            State = StateOf(sandbox.State),
            LaunchTime = sandbox.StartedAt,
            CreatedAt = sandbox.CreatedAt,
        };
        if (sandbox.ExpiresAt is { } expires)
        {
            item.TimeoutAt = expires.Seconds;
        }

        return item;
    }

    public static LeapState StateOf(NativeState state) => state switch
    {
        NativeState.Queued or NativeState.Assigning => LeapState.Starting,
        NativeState.Ready or NativeState.Active => LeapState.Running,
        NativeState.Pausing => LeapState.Snapshotting,
        NativeState.Paused => LeapState.Paused,
        NativeState.Ending => LeapState.Deleting,
        NativeState.Ended or NativeState.Failed => LeapState.Deleted,
        _ => LeapState.Unspecified,
    };

    private static long RoundUp(long value, long unit) => (value + unit - 1) / unit;
}
