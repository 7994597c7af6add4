using System.Collections.Concurrent;
using Corral.Egress.Dialing;
using Corral.Egress.Gates;
using Corral.Egress.Policies;

namespace Corral.Egress.Termination;

/// <summary>The connections to servers, by sandbox: none ever serves two. They go when their sandbox's gate is let go.</summary>
internal sealed class UpstreamTable(IUpstreamDialer dialer, UpstreamTrust trust, TimeProvider clock)
{
    private readonly ConcurrentDictionary<AttachedSandbox, SandboxUpstreams> _sandboxes = new();

    public UpstreamClient For(AttachedSandbox sandbox, string name, int port, EgressPolicy policy) =>
        (_sandboxes.TryGetValue(sandbox, out var upstreams) ? upstreams : Add(sandbox)).For(name, port, policy);

    private SandboxUpstreams Add(AttachedSandbox sandbox)
    {
        var added = new SandboxUpstreams(sandbox, dialer, trust, clock);
        var kept = _sandboxes.GetOrAdd(sandbox, added);
        if (ReferenceEquals(kept, added))
        {
            sandbox.Detached.UnsafeRegister(_ => Remove(sandbox), null);
        }

        return kept;
    }

    private void Remove(AttachedSandbox sandbox)
    {
        if (_sandboxes.TryRemove(sandbox, out var upstreams))
        {
            upstreams.Dispose();
        }
    }
}
