using Corral.Api.V1;
using Corral.NodeAgent.Commands;

namespace Corral.NodeAgent.Grpc;

/// <summary>Tells how commands ended.</summary>
internal static class Exits
{
    /// <param name="exit">How it ended.</param>
    /// <param name="sequence">Its place in the stream; 0 where streams have none.</param>
    public static Exit Tell(CommandExit exit, long sequence = 0)
    {
        var message = new Exit { ExitCode = exit.Code, DurationMs = exit.DurationMs, TimedOut = exit.TimedOut, OutOfMemory = exit.OutOfMemory, Sequence = sequence };
        if (exit.Signal is { } signal) message.Signal = signal;
        return message;
    }
}
