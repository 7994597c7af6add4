using System.Text.Json.Serialization;
using Corral.Api.V1;

namespace Corral.Sessions.Records;

/// <summary>The truth about one sandbox, as Redis holds it. Immutable: a change is a new record, written by compare and set.</summary>
internal sealed record SandboxRecord
{
    public const string CustomSize = "custom";

    public required string Id { get; init; }

    public required string Organization { get; init; }

    public required SandboxState State { get; init; }

    /// <summary>Counts the attempts to place it, from 1. Nodes and scheduler tell attempts apart by it.</summary>
    public long Generation { get; init; } = 1;

    public required string Runtime { get; init; }

    public required string Size { get; init; }

    /// <summary>What the size means.</summary>
    public MachineSize Machine { get; init; } = MachineSize.Standard;

    public string Isolation { get; init; } = "";

    public string AskedRegion { get; init; } = "";

    public string Region { get; init; } = "";

    public required long MaxDurationMs { get; init; }

    public bool Ephemeral { get; init; } = true;

    public IReadOnlyList<string> EnvNames { get; init; } = [];

    /// <summary>The environment, sealed; dropped at the end.</summary>
    public byte[]? SealedEnv { get; init; }

    /// <summary>The capabilities as they were asked for, as protobuf, secrets masked.</summary>
    public byte[]? Capabilities { get; init; }

    /// <summary>What may leave it; null for one that was made before there were policies: nothing.</summary>
    public PolicyRecord? Policy { get; init; }

    public string NodeId { get; init; } = "";

    public string NodeAddress { get; init; } = "";

    public IReadOnlyList<string> ExcludedNodes { get; init; } = [];

    public int Attempts { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Since when it is tried what it is tried now: to find a node, or to start it on the one that it has.</summary>
    public DateTimeOffset? TriedSince { get; init; }

    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>Whether it waits for its organisation's plan to have room, as its maker asked for.</summary>
    public bool Waiting { get; init; }

    /// <summary>When it was paused last: its time is not metered from then on.</summary>
    public DateTimeOffset? PausedAt { get; init; }

    /// <summary>When it was ready again after a pause.</summary>
    public DateTimeOffset? ResumedAt { get; init; }

    /// <summary>When its end was asked for.</summary>
    public DateTimeOffset? EndAskedAt { get; init; }

    public DateTimeOffset? EndedAt { get; init; }

    public DateTimeOffset? ExpiresAt { get; init; }

    public string? FailureReason { get; init; }

    public string? EndReason { get; init; }

    /// <summary>The API key whose holder asked for its end.</summary>
    public string? EndedBy { get; init; }

    /// <summary>The state that its end met it in.</summary>
    public SandboxState? StateBefore { get; init; }

    /// <summary>How many commands run in it, as its node last told.</summary>
    public int RunningCommands { get; init; }

    /// <summary>Whether its node and the scheduler have been told of its end.</summary>
    public bool CleanedUp { get; init; }

    /// <summary>Whether it counts against the limits of machines of the caller's own measure, and not against those of the organisation's plan.</summary>
    [JsonIgnore]
    public bool IsCustom => Size == CustomSize;

    [JsonIgnore]
    public bool IsOver => State is SandboxState.Ended or SandboxState.Failed;

    /// <summary>The same, with everything forgotten that only a sandbox that lives needs.</summary>
    public SandboxRecord WithoutSecrets() => this with { SealedEnv = null, Policy = Policy is null ? null : Policy with { Sealed = null, SealedProxy = null } };

    /// <summary>Whether it counts against its plan's concurrency.</summary>
    [JsonIgnore]
    public bool Counts => !IsOver && State != SandboxState.Paused && !Waiting;

    /// <summary>Since when its time is metered; null while it is not.</summary>
    [JsonIgnore]
    public DateTimeOffset? RunsFrom => IsOver || State == SandboxState.Paused ? null : ResumedAt ?? StartedAt;

    /// <summary>When its time was no longer metered.</summary>
    [JsonIgnore]
    public DateTimeOffset? RanUntil => IsOver ? EndedAt : State == SandboxState.Paused ? PausedAt : null;

    /// <summary>From READY to its end, as the milliseconds of both tell it and as it is metered; null while it lives.</summary>
    [JsonIgnore]
    public long? DurationMs => StartedAt is { } started && EndedAt is { } ended ? ended.ToUnixTimeMilliseconds() - started.ToUnixTimeMilliseconds() : null;

    [JsonIgnore]
    public bool TakesWork => State is SandboxState.Ready or SandboxState.Active;
}

/// <summary>A record and the version that a change must name.</summary>
internal sealed record Versioned(SandboxRecord Record, long Version);

// Metadata only: the generated fast path writes bytes that are null as an empty string.
[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata)]
[JsonSerializable(typeof(SandboxRecord))]
internal sealed partial class RecordJson : JsonSerializerContext;
