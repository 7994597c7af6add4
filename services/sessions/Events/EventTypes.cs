using System.Collections.Frozen;
using Corral.Sessions.Records;
using State = Corral.Api.V1.SandboxState;

namespace Corral.Sessions.Events;

/// <summary>The names of events.</summary>
internal static class EventTypes
{
    public const string SandboxCreated = "sandbox.created";
    public const string SandboxAssigned = "sandbox.assigned";
    public const string SandboxReady = "sandbox.ready";
    public const string SandboxPaused = "sandbox.paused";
    public const string SandboxResumed = "sandbox.resumed";
    public const string SandboxEnding = "sandbox.ending";
    public const string SandboxEnded = "sandbox.ended";
    public const string SandboxFailed = "sandbox.failed";
    public const string WebhookDisabled = "webhook.disabled";
    public const string WebhookTest = "webhook.test";

    /// <summary>What a webhook may be registered for: every name that there is, also of what is not offered yet.</summary>
    public static readonly FrozenSet<string> Known = new[]
    {
        SandboxCreated, SandboxAssigned, SandboxReady, SandboxPaused, SandboxResumed, SandboxEnding, SandboxEnded, SandboxFailed,
        "sandbox.agent.ready", "sandbox.agent.failed", "sandbox.agent.task.queued", "sandbox.agent.task.completed", "sandbox.agent.task.failed",
        "sandbox.browser.ready", "sandbox.browser.failed", "sandbox.checkpoint.created", "sandbox.checkpoint.restored",
        "sandbox.document.converted", "sandbox.artifacts.updated",
        "session.created", "session.assigned", "session.ready", "session.ending", "session.ended", "session.failed",
        WebhookDisabled,
    }.ToFrozenSet(StringComparer.Ordinal);

    /// <summary>What a change of a record is called; null when nothing happened that has a name. A new record has no record before it.</summary>
    public static string? Between(SandboxRecord? before, SandboxRecord after) => (before?.State, after.State) switch
    {
        (null, _) => SandboxCreated,
        var (from, to) when from == to => null,
        (_, State.Assigning) => SandboxAssigned,
        (State.Assigning, State.Ready) => before.StartedAt is null ? SandboxReady : SandboxResumed,
        (_, State.Paused) => SandboxPaused,
        (_, State.Ending) => SandboxEnding,
        (_, State.Ended) => SandboxEnded,
        (_, State.Failed) => SandboxFailed,
        _ => null,
    };
}
