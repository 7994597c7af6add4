using Corral.Egress.Policies;

namespace Corral.Egress.Gates;

/// <summary>A gate to take.</summary>
internal sealed record GateOrder(string SandboxId, long Generation, string OrganizationId, string GatePath, EgressPolicy Policy);
