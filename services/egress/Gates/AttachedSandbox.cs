using Corral.Egress.Dns;
using Corral.Egress.Flows;
using Corral.Egress.Policies;
using Corral.Egress.Termination;

namespace Corral.Egress.Gates;

/// <summary>A sandbox whose gate is taken: who it is, what may leave it now, and what is open.</summary>
internal sealed class AttachedSandbox : IDisposable
{
    private readonly CancellationTokenSource _detached = new();
    private volatile EgressPolicy _policy;

    public AttachedSandbox(string id, long generation, string organizationId, EgressPolicy policy, SandboxAuthority authority, TimeProvider clock)
    {
        (Id, Generation, OrganizationId, Authority, _policy) = (id, generation, organizationId, authority, policy);
        Limiter = new SandboxLimiter(policy.Limits, clock);
        NewNames = new NameBudget(clock);
    }

    public string Id { get; }

    public long Generation { get; }

    public string OrganizationId { get; }

    /// <summary>What may leave now. Whoever judges something takes it once: it is replaced as a whole.</summary>
    public EgressPolicy Policy => _policy;

    /// <summary>Signs for the names with a transform.</summary>
    public SandboxAuthority Authority { get; }

    public SandboxLimiter Limiter { get; }

    /// <summary>What it may still spend on names that it makes up.</summary>
    public NameBudget NewNames { get; }

    /// <summary>The names that it was given addresses for.</summary>
    public SyntheticNames Names { get; } = new();

    /// <summary>Its open connections.</summary>
    public FlowTable Flows { get; } = new();

    /// <summary>Cancelled when the gate is let go.</summary>
    public CancellationToken Detached => _detached.Token;

    /// <summary>Puts a newer policy in force for everything that is judged from now on; false when it is no newer.</summary>
    public bool TryReplacePolicy(EgressPolicy policy)
    {
        if (policy.Version <= _policy.Version) return false;
        _policy = policy;
        Limiter.Apply(policy.Limits);
        return true;
    }

    public void Detach() => _detached.Cancel();

    public void Dispose()
    {
        _detached.Dispose();
        Authority.Dispose();
    }
}
