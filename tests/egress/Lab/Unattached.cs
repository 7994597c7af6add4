using Corral.Egress.Gates;
using Corral.Egress.Policies;
using Corral.Egress.Termination;
using Corral.Egress.V1;

namespace Corral.Egress.Tests.Lab;

/// <summary>Sandboxes without a network, for what needs none.</summary>
internal static class Unattached
{
    private static readonly PolicyLimits Limits = new(10, 20, 0, 30);

    public static AttachedSandbox Sandbox(Policy policy) =>
        new("sbx-x", 1, "org-test", Compile(policy), SandboxAuthority.Create("sbx-x", TimeProvider.System), TimeProvider.System);

    public static EgressPolicy Compile(Policy policy) => PolicyCompiler.Compile(policy, Limits);
}
