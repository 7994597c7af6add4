using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Corral.Sessions.Creating;

/// <summary>What a plan allows.</summary>
internal sealed class PlanLimits
{
    /// <summary>Sandboxes at the same time, paused ones not counted.</summary>
    [Range(0, 1_000_000)]
    public int ConcurrentSandboxes { get; set; }

    /// <summary>The longest life of a sandbox.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "365.00:00:00")]
    public TimeSpan MaxDuration { get; set; }

    /// <summary>Sandbox hours in a calendar month (UTC).</summary>
    [Range(0, 10_000_000)]
    public int HoursPerMonth { get; set; }

    /// <summary>Sandboxes that may wait for room at the same time.</summary>
    [Range(0, 1_000_000)]
    public int WaitingSandboxes { get; set; } = 100;

    /// <summary>Whether a sandbox may leave through a proxy of its owner's.</summary>
    public bool UpstreamProxies { get; set; }

    /// <summary>Whether a sandbox may be paired with a browser.</summary>
    public bool PairedBrowser { get; set; }

    public long MillisecondsPerMonth => HoursPerMonth * 3_600_000L;
}

/// <summary>The plans, in section <c>Plans</c>; the defaults are those of docs/plans-and-limits.md.</summary>
internal sealed class PlanOptions
{
    public const string CustomName = "custom";

    /// <summary>The organisations' plans, from the smallest to the largest.</summary>
    public static readonly IReadOnlyList<string> Names = ["free", "builder", "pro", "scale"];

    /// <summary>What <c>free</c> allows: the plan of an organisation that was given none.</summary>
    [ValidateObjectMembers]
    public PlanLimits Free { get; set; } = new() { ConcurrentSandboxes = 1, MaxDuration = TimeSpan.FromMinutes(5), HoursPerMonth = 5 };

    /// <summary>What <c>builder</c> allows.</summary>
    [ValidateObjectMembers]
    public PlanLimits Builder { get; set; } = new() { ConcurrentSandboxes = 3, MaxDuration = TimeSpan.FromMinutes(30), HoursPerMonth = 50 };

    /// <summary>What <c>pro</c> allows.</summary>
    [ValidateObjectMembers]
    public PlanLimits Pro { get; set; } = new() { ConcurrentSandboxes = 10, MaxDuration = TimeSpan.FromMinutes(60), HoursPerMonth = 500, UpstreamProxies = true, PairedBrowser = true };

    /// <summary>What <c>scale</c> allows.</summary>
    [ValidateObjectMembers]
    public PlanLimits Scale { get; set; } = new() { ConcurrentSandboxes = 50, MaxDuration = TimeSpan.FromHours(2), HoursPerMonth = 5000, UpstreamProxies = true, PairedBrowser = true };

    /// <summary>Machines of the caller's own measure, as the leap dialect makes them: whatever the organisation's plan, and beside it.</summary>
    [ValidateObjectMembers]
    public PlanLimits Custom { get; set; } = new() { ConcurrentSandboxes = 3, MaxDuration = TimeSpan.FromHours(8), HoursPerMonth = 10_000_000 };

    /// <summary>How long a sandbox waits for its organisation's plan to have room, before it fails.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "30.00:00:00")]
    public TimeSpan QueuePatience { get; set; } = TimeSpan.FromDays(1);

    public PlanLimits Of(string plan) => plan switch
    {
        CustomName => Custom,
        "builder" => Builder,
        "pro" => Pro,
        "scale" => Scale,
        _ => Free,
    };
}

/// <summary>Refuses bad settings before the service listens.</summary>
[OptionsValidator]
internal sealed partial class PlanOptionsValidator : IValidateOptions<PlanOptions>;
