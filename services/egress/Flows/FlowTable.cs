using System.Collections;
using System.Collections.Concurrent;
using Corral.Egress.Dialing;
using Corral.Egress.Policies;

namespace Corral.Egress.Flows;

/// <summary>The open connections of one sandbox.</summary>
internal sealed class FlowTable : IEnumerable<Flow>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);
    private readonly ConcurrentDictionary<Flow, bool> _flows = new(concurrencyLevel: 1, capacity: 3);

    public int Count => _flows.Count;

    public void Add(Flow flow) => _flows.TryAdd(flow, true);

    public void Remove(Flow flow) => _flows.TryRemove(flow, out _);

    /// <summary>Closes what a policy forbids that the one before it allowed, and waits until that has ended, but not for ever.</summary>
    public async Task CloseForbiddenAsync(EgressPolicy policy, EgressPolicy earlier, DestinationPolicy destinations, TimeProvider clock)
    {
        var forbidden = this.Where(flow => flow.IsForbiddenBy(policy, earlier, destinations)).ToList();
        foreach (var flow in forbidden) flow.Close(Refusals.PolicyChanged);
        var ended = Task.WhenAll(forbidden.Select(flow => flow.Ended));
        await Task.WhenAny(ended, Task.Delay(Patience, clock));
    }

    public Task AllEndedAsync() => Task.WhenAll(this.Select(flow => flow.Ended));

    public IEnumerator<Flow> GetEnumerator() => _flows.Select(pair => pair.Key).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
