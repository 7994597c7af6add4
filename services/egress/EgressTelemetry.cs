using System.Diagnostics.Metrics;

namespace Corral.Egress;

/// <summary>The service's metrics.</summary>
internal sealed class EgressTelemetry : IDisposable
{
    public const string Name = "Corral.Egress";

    private readonly Meter _meter = new(Name);
    private readonly Counter<long> _connections;
    private readonly Counter<long> _bytes;
    private readonly Counter<long> _questions;
    private readonly Counter<long> _dropped;
    private readonly UpDownCounter<long> _attached;

    public EgressTelemetry()
    {
        _connections = _meter.CreateCounter<long>("corral.egress.connections", description: "Connections of sandboxes that are over, by whether they were let through.");
        _bytes = _meter.CreateCounter<long>("corral.egress.bytes", "By", "Bytes of connections that are over, by whether the sandbox sent or received them.");
        _questions = _meter.CreateCounter<long>("corral.egress.questions", description: "Questions to the resolver, by whether they were let through.");
        _dropped = _meter.CreateCounter<long>("corral.egress.audit.dropped", description: "Audit records that were lost.");
        _attached = _meter.CreateUpDownCounter<long>("corral.egress.gates", description: "Gates that are attached.");
    }

    public void Connection(bool allowed) => _connections.Add(1, new KeyValuePair<string, object?>("allowed", allowed));

    public void Carried(long sent, long received)
    {
        if (sent > 0) _bytes.Add(sent, new KeyValuePair<string, object?>("direction", "sent"));
        if (received > 0) _bytes.Add(received, new KeyValuePair<string, object?>("direction", "received"));
    }

    public void Question(bool allowed) => _questions.Add(1, new KeyValuePair<string, object?>("allowed", allowed));

    public void AuditDropped() => _dropped.Add(1);

    public void Attached(int change) => _attached.Add(change);

    public void Observe(string name, string description, Func<long> value) => _meter.CreateObservableGauge(name, value, description: description);

    public void Dispose() => _meter.Dispose();
}
