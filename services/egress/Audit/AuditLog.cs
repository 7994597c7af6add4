using Corral.Egress.Gates;
using Corral.Egress.V1;

namespace Corral.Egress.Audit;

/// <summary>What the sandboxes tried to reach.</summary>
internal sealed class AuditLog
{
    /// <summary>Keeps a record. Never waits: what cannot be kept is counted. Time, sandbox and sequence are set here.</summary>
    public void Record(AttachedSandbox sandbox, AuditRecord record)
    {
    }
}
