using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Corral.Sessions;

/// <summary>The service's own spans and metrics.</summary>
internal static class SessionsTelemetry
{
    public static readonly ActivitySource Source = new("Corral.Sessions");

    private static readonly Meter Meter = new("Corral.Sessions");

    /// <summary>Changes of state, by the state that was reached.</summary>
    public static readonly Counter<long> Transitions = Meter.CreateCounter<long>("corral.sessions.transitions");

    /// <summary>Creates that a plan had no room for, by reason.</summary>
    public static readonly Counter<long> PlanRefusals = Meter.CreateCounter<long>("corral.sessions.plan_refusals");

    /// <summary>From the create's acceptance to READY.</summary>
    public static readonly Histogram<double> TimeToReady = Meter.CreateHistogram<double>("corral.sessions.time_to_ready", "s");
}
