using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Corral.Sessions.Events;

/// <summary>Settings of events, section <c>Events</c>.</summary>
internal sealed class EventOptions
{
    /// <summary>For how long an event is kept. 30 days by default.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "3650.00:00:00")]
    public TimeSpan Kept { get; set; } = TimeSpan.FromDays(30);

    /// <summary>How many events of an organisation are kept at most, however young they are. 1 000 000 by default.</summary>
    [Range(1, 100_000_000)]
    public int MostKept { get; set; } = 1_000_000;
}

/// <summary>Refuses bad settings before the service listens.</summary>
[OptionsValidator]
internal sealed partial class EventOptionsValidator : IValidateOptions<EventOptions>;
