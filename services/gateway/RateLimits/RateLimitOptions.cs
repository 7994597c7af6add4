using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Corral.Gateway.RateLimits;

/// <summary>How often a call may be made: a bucket of <see cref="Burst"/> tokens that is filled again at <see cref="PerMinute"/>.</summary>
internal sealed class RateFigures
{
    /// <summary>How many calls a minute go on for ever: so many tokens come back.</summary>
    [Range(1, 10_000_000)]
    public int PerMinute { get; set; }

    /// <summary>How many calls may be made at once: so many tokens a full bucket holds.</summary>
    [Range(1, 10_000_000)]
    public int Burst { get; set; }
}

/// <summary>The rate limits, for each organisation and each call, in section <c>RateLimits</c>; the defaults are those of docs/plans-and-limits.md.</summary>
internal sealed class RateLimitOptions
{
    /// <summary>Whether there are any.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>Creates and launches, together.</summary>
    [ValidateObjectMembers]
    public RateFigures Create { get; set; } = new() { PerMinute = 60, Burst = 20 };

    /// <summary>Sandboxes read, listed and watched.</summary>
    [ValidateObjectMembers]
    public RateFigures Read { get; set; } = new() { PerMinute = 600, Burst = 100 };

    /// <summary>Sandboxes ended.</summary>
    [ValidateObjectMembers]
    public RateFigures End { get; set; } = new() { PerMinute = 120, Burst = 30 };

    /// <summary>Commands and code.</summary>
    [ValidateObjectMembers]
    public RateFigures Exec { get; set; } = new() { PerMinute = 300, Burst = 50 };

    /// <summary>Each call of the file system.</summary>
    [ValidateObjectMembers]
    public RateFigures Files { get; set; } = new() { PerMinute = 300, Burst = 50 };

    /// <summary>Usage and billing.</summary>
    [ValidateObjectMembers]
    public RateFigures Billing { get; set; } = new() { PerMinute = 30, Burst = 10 };

    /// <summary>Everything else, each call by itself.</summary>
    [ValidateObjectMembers]
    public RateFigures Other { get; set; } = new() { PerMinute = 600, Burst = 100 };
}

/// <summary>Refuses bad settings before the service listens.</summary>
[OptionsValidator]
internal sealed partial class RateLimitOptionsValidator : IValidateOptions<RateLimitOptions>;
