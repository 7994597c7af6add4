using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Corral.NodeAgent;

/// <summary>The node's spans and metrics. Each phase of a start is a span and a point of one histogram.</summary>
internal sealed class NodeTelemetry : IDisposable
{
    public const string Name = "Corral.NodeAgent";

    private readonly ActivitySource _source = new(Name);
    private readonly Meter _meter = new(Name);
    private readonly Histogram<double> _phases;
    private readonly Counter<long> _starts;
    private readonly Counter<long> _deaths;

    public NodeTelemetry()
    {
        _phases = _meter.CreateHistogram<double>("corral.node.start.phase", "s", "What each phase of a start took.");
        _starts = _meter.CreateCounter<long>("corral.node.starts", description: "Sandboxes started, by isolation and whether they were warm.");
        _deaths = _meter.CreateCounter<long>("corral.node.deaths", description: "Boxes that stopped by themselves, by reason.");
    }

    /// <summary>Begins a phase, which ends when the answer is disposed.</summary>
    public Phase Begin(string name) => new(this, name, _source.StartActivity(name));

    public void Started(string isolation, bool warm) =>
        _starts.Add(1, new KeyValuePair<string, object?>("isolation", isolation), new KeyValuePair<string, object?>("warm", warm));

    public void Died(string reason) => _deaths.Add(1, new KeyValuePair<string, object?>("reason", reason));

    public void Observe(string name, string description, Func<long> value) => _meter.CreateObservableGauge(name, value, description: description);

    public void Dispose()
    {
        _source.Dispose();
        _meter.Dispose();
    }

    internal readonly struct Phase(NodeTelemetry telemetry, string name, Activity? activity) : IDisposable
    {
        private readonly long _began = Stopwatch.GetTimestamp();

        public void Dispose()
        {
            telemetry._phases.Record(Stopwatch.GetElapsedTime(_began).TotalSeconds, new KeyValuePair<string, object?>("phase", name));
            activity?.Dispose();
        }
    }
}
