using System.Collections;
using System.Collections.Concurrent;

namespace Corral.Egress.Flows;

/// <summary>The open connections of one sandbox.</summary>
internal sealed class FlowTable : IEnumerable<Flow>
{
    private readonly ConcurrentDictionary<Flow, bool> _flows = new(concurrencyLevel: 1, capacity: 3);

    public int Count => _flows.Count;

    public void Add(Flow flow) => _flows.TryAdd(flow, true);

    public void Remove(Flow flow) => _flows.TryRemove(flow, out _);

    public IEnumerator<Flow> GetEnumerator() => _flows.Select(pair => pair.Key).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
