using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Corral.Sessions.Clock;

/// <summary>Which time is believed, in section <c>Clock</c>.</summary>
internal sealed class ClockOptions
{
    /// <summary>How far the host's clock may be set before it is believed: one that is further off was wrong before, or slept.</summary>
    [Range(typeof(TimeSpan), "00:00:10", "365.00:00:00")]
    public TimeSpan LargestJump { get; set; } = TimeSpan.FromHours(6);
}

/// <summary>Refuses bad settings before the service listens.</summary>
[OptionsValidator]
internal sealed partial class ClockOptionsValidator : IValidateOptions<ClockOptions>;
