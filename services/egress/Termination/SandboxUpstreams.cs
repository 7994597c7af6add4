using System.Collections.Concurrent;
using Corral.Egress.Dialing;
using Corral.Egress.Gates;
using Corral.Egress.Policies;

namespace Corral.Egress.Termination;

/// <summary>The servers that one sandbox has connections to. All of them are dropped when a policy would have them leave otherwise.</summary>
internal sealed class SandboxUpstreams(AttachedSandbox sandbox, IUpstreamDialer dialer, UpstreamTrust trust, TimeProvider clock) : IDisposable
{
    // A sandbox can ask for any name below a wildcard.
    private const int KeptServers = 128;

    // Above the time that a request may need between choosing its client and using it.
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(60);

    private readonly Lock _lock = new();
    private Generation? _current;

    public UpstreamClient For(string name, int port, EgressPolicy policy)
    {
        var current = Volatile.Read(ref _current);
        return current is not null && policy.DialsAs(current.Policy) && current.Clients.TryGetValue((name, port), out var client) ? client : Add(name, port, policy);
    }

    public void Dispose()
    {
        lock (_lock)
        {
            if (_current is not null)
            {
                Close(_current);
            }
        }
    }

    private UpstreamClient Add(string name, int port, EgressPolicy policy)
    {
        lock (_lock)
        {
            if (_current is null || !policy.DialsAs(_current.Policy) || _current.Clients.Count >= KeptServers)
            {
                if (_current is not null)
                {
                    _ = RetireAsync(_current);
                }

                Volatile.Write(ref _current, new Generation(policy));
            }

            return _current!.Clients.GetOrAdd((name, port), key => new UpstreamClient(sandbox, DialTarget.To(key.Name, key.Port), dialer, trust));
        }
    }

    // What is under way is not cut: that is for the flows to do.
    private async Task RetireAsync(Generation retired)
    {
        await Task.Delay(Grace, clock, sandbox.Detached).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Close(retired);
    }

    private static void Close(Generation generation)
    {
        foreach (var client in generation.Clients.Values)
        {
            client.Dispose();
        }
    }

    private sealed record Generation(EgressPolicy Policy)
    {
        public ConcurrentDictionary<(string Name, int Port), UpstreamClient> Clients { get; } = new();
    }
}
