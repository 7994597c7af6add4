using System.Diagnostics.Metrics;
using Corral.Egress.Flows;

namespace Corral.Egress;

/// <summary>The service's metrics.</summary>
internal sealed class EgressTelemetry : IDisposable
{
    public const string Name = "Corral.Egress";

    private readonly Counter<long> _connections;
    private readonly Counter<long> _bytes;
    private readonly Counter<long> _requests;
    private readonly Counter<long> _questions;
    private readonly Counter<long> _dropped;
    private readonly UpDownCounter<long> _attached;

    public EgressTelemetry()
    {
        _connections = Meter.CreateCounter<long>("corral.egress.connections", description: "Connections of sandboxes that are over, by whether they were let through.");
        _bytes = Meter.CreateCounter<long>("corral.egress.bytes", "By", "Bytes of connections that are over, by whether the sandbox sent or received them.");
        _requests = Meter.CreateCounter<long>("corral.egress.requests", description: "Requests that were read and are over, by whether they were let through, and by what refused or broke them.");
        _questions = Meter.CreateCounter<long>("corral.egress.questions", description: "Questions to the resolver, by whether they were let through.");
        _dropped = Meter.CreateCounter<long>("corral.egress.audit.dropped", description: "Audit records that were lost.");
        _attached = Meter.CreateUpDownCounter<long>("corral.egress.gates", description: "Gates that are attached.");
    }

    /// <summary>What a listener tells this service's instruments by, where several are in one process.</summary>
    public Meter Meter { get; } = new(Name);

    public void Connection(bool allowed) => _connections.Add(1, new KeyValuePair<string, object?>("allowed", allowed));

    public void Carried(long sent, long received)
    {
        if (sent > 0) _bytes.Add(sent, new KeyValuePair<string, object?>("direction", "sent"));
        if (received > 0) _bytes.Add(received, new KeyValuePair<string, object?>("direction", "received"));
    }

    /// <summary>A request is over.</summary>
    /// <param name="allowed">Whether it was let through.</param>
    /// <param name="reason">One of <see cref="Refusals"/>; empty when nothing was in its way.</param>
    public void Request(bool allowed, string reason) =>
        _requests.Add(1, new KeyValuePair<string, object?>("allowed", allowed), new KeyValuePair<string, object?>("reason", reason));

    public void Question(bool allowed) => _questions.Add(1, new KeyValuePair<string, object?>("allowed", allowed));

    public void AuditDropped() => _dropped.Add(1);

    public void Attached(int change) => _attached.Add(change);

    public void Observe(string name, string description, Func<long> value) => Meter.CreateObservableGauge(name, value, description: description);

    public void Dispose() => Meter.Dispose();
}
