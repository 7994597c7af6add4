using Corral.Egress.V1;

namespace Corral.NodeAgent.Outbound;

/// <summary>A box's gate, as egress is told of it. Policies hold secrets: they are here, in memory, and nowhere else on the node.</summary>
internal sealed class GateAttachment(string sandboxId, long generation, string organizationId, string gateNamespace) : IDisposable
{
    private long _inForce;

    public string SandboxId => sandboxId;

    public long Generation => generation;

    public string OrganizationId => organizationId;

    public string GateNamespace => gateNamespace;

    /// <summary>Held by whoever talks to egress of this gate, so that a new policy and a new egress do not cross.</summary>
    public SemaphoreSlim Turn { get; } = new(1);

    /// <summary>The newest policy that was told; null until then.</summary>
    public Policy? Policy { get; set; }

    /// <summary>The certificate that the box must trust, as egress answered last; empty until then.</summary>
    public string Certificate { get; set; } = "";

    /// <summary>The version in force; 0 while nothing leaves, or the box does not trust its authority.</summary>
    public long InForce
    {
        get => Interlocked.Read(ref _inForce);
        set => Interlocked.Exchange(ref _inForce, value);
    }

    public void Dispose() => Turn.Dispose();
}
