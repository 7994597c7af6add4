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

    /// <summary>Attempts at webhooks, by what became of the delivery.</summary>
    public static readonly Counter<long> Deliveries = Meter.CreateCounter<long>("corral.sessions.deliveries");

    /// <summary>Attempts at webhooks that are under way.</summary>
    public static readonly UpDownCounter<long> DeliveriesUnderWay = Meter.CreateUpDownCounter<long>("corral.sessions.deliveries_under_way");

    /// <summary>From a delivery's queueing to its end, whatever that was.</summary>
    public static readonly Histogram<double> DeliveryAge = Meter.CreateHistogram<double>("corral.sessions.delivery_age", "s");

    /// <summary>Events that were kept no longer when a webhook came to them.</summary>
    public static readonly Counter<long> EventsMissed = Meter.CreateCounter<long>("corral.sessions.events_missed");

    /// <summary>How long attempts at webhooks take.</summary>
    public static readonly Histogram<double> DeliveryTime = Meter.CreateHistogram<double>("corral.sessions.delivery_time", "s");
}
