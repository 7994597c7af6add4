using Corral.GuestLink;

namespace Corral.NodeAgent.Commands;

/// <summary>How a command ended, as callers are told.</summary>
internal readonly record struct CommandExit(int Code, int? Signal, bool TimedOut, bool OutOfMemory, long DurationMs)
{
    public const int TimedOutCode = 124;
    private const int Killed = 9;

    /// <param name="exit">What the guest says.</param>
    /// <param name="memoryRanOut">Whether the kernel killed for want of memory meanwhile; asked only of a command that was killed.</param>
    public static CommandExit Of(GuestExit exit, Func<bool> memoryRanOut)
    {
        var outOfMemory = exit.OutOfMemory || (exit is { Signal: Killed, TimedOut: false } && memoryRanOut());
        var code = exit.TimedOut ? TimedOutCode : exit.Signal > 0 ? 128 + exit.Signal : exit.Code;
        return new CommandExit(code, exit.Signal > 0 ? exit.Signal : null, exit.TimedOut, outOfMemory, exit.DurationMs);
    }
}
