using System.ComponentModel.DataAnnotations;

namespace Corral.Scheduler;

/// <summary>Settings of the scheduler, in section <c>Scheduler</c>.</summary>
internal sealed class SchedulerOptions
{
    /// <summary>How long a reservation holds before it is confirmed. 90 s by default.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan ReservationTime { get; set; } = TimeSpan.FromSeconds(90);

    /// <summary>A node that gave no sign of life for so long gets no new sandboxes. 15 s by default.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan NodeSilence { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>Among how many nodes that fit the least committed is looked for. 8 by default.</summary>
    [Range(1, 1000)]
    public int Candidates { get; set; } = 8;

    /// <summary>The warm pools.</summary>
    [Required]
    public WarmTargetOptions WarmTargets { get; set; } = new();
}

/// <summary>How many warm sandboxes a node is asked to hold.</summary>
internal sealed class WarmTargetOptions
{
    /// <summary>Of each template and isolation. 1 by default; 0 turns the pools off.</summary>
    [Range(0, 64)]
    public int Base { get; set; } = 1;
}
