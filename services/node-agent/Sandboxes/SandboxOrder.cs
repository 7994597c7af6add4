using Corral.Egress.V1;
using Corral.NodeAgent.Runtimes;

namespace Corral.NodeAgent.Sandboxes;

/// <summary>A sandbox that is asked for.</summary>
internal sealed record SandboxOrder(
    string SandboxId, long Generation, string OrganizationId, string Template, string Isolation, IReadOnlyDictionary<string, string> Environment, BoxLimits Limits)
{
    /// <summary>What may leave it; null for nothing. It holds secrets.</summary>
    public Policy? Policy { get; init; }

    // What a record prints of itself is logged by accident sooner or later.
    public override string ToString() => $"{SandboxId}, generation {Generation}";
}

/// <summary>What became of it.</summary>
internal abstract record StartOutcome
{
    /// <summary>Its guest answers.</summary>
    public sealed record Running(string Isolation, bool Warm) : StartOutcome;

    /// <summary>A newer generation is known, or this one was ended.</summary>
    public sealed record Stale(long Known) : StartOutcome;

    /// <summary>The node has no room, or is being stopped.</summary>
    public sealed record Full : StartOutcome;

    /// <summary>The host's egress does not answer.</summary>
    public sealed record NoEgress : StartOutcome;

    public sealed record UnknownTemplate : StartOutcome;

    public sealed record UnknownIsolation(IReadOnlyList<string> Offered) : StartOutcome;

    /// <summary>It could not be started, and nothing of it is left.</summary>
    public sealed record Failed(string Message) : StartOutcome;
}

/// <summary>A sandbox as the node sees it.</summary>
internal sealed record SandboxView(
    string SandboxId, long Generation, string OrganizationId, SandboxPhase Phase, string Isolation, int RunningCommands, long PolicyVersion, BoxDeath? Death = null);

internal enum SandboxPhase
{
    Starting,
    Running,
    Ending,

    /// <summary>Ended as asked, and cleaned up.</summary>
    Ended,

    /// <summary>It stopped by itself, and is cleaned up.</summary>
    Exited,

    /// <summary>It never ran, and is cleaned up.</summary>
    Failed,
}
