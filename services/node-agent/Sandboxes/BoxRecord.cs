using System.Text.Json.Serialization;
using Corral.NodeAgent.Runtimes;

namespace Corral.NodeAgent.Sandboxes;

/// <summary>What the node must know of a box to adopt it, or to remove it, after its own crash.</summary>
internal sealed record BoxRecord
{
    public required string Box { get; init; }

    public required BoxState State { get; init; }

    public required string Isolation { get; init; }

    public required string Template { get; init; }

    /// <summary>The template's content: a warm box of an older one is not given to anybody.</summary>
    public required string Digest { get; init; }

    public required BoxLimits Limits { get; init; }

    /// <summary>Proves to the guest that its node speaks.</summary>
    public required string Token { get; init; }

    public string Network { get; init; } = "";

    /// <summary>The first process, as the host sees it; with its start time, because numbers come again.</summary>
    public int Pid { get; init; }

    public ulong PidStarted { get; init; }

    /// <summary>The tenant; empty while there is none.</summary>
    public string SandboxId { get; init; } = "";

    public long Generation { get; init; }

    public string OrganizationId { get; init; } = "";
}

/// <summary>Where a box is in its life.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<BoxState>))]
internal enum BoxState
{
    /// <summary>Being made: after a crash it is removed.</summary>
    Starting,

    /// <summary>Ready and frozen, without a tenant: after a crash it is removed, and another made.</summary>
    Warm,

    /// <summary>It has its tenant: after a crash of the node it is adopted.</summary>
    Running,

    /// <summary>Being removed.</summary>
    Ending,
}
