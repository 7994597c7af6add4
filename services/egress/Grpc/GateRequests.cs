using System.Text.RegularExpressions;
using Corral.Egress.Gates;
using Corral.Egress.Policies;
using Corral.Egress.V1;
using Corral.Hosting;

namespace Corral.Egress.Grpc;

/// <summary>Reads requests, or says which field is wrong.</summary>
internal static partial class GateRequests
{
    public static GateOrder OrderOf(AttachRequest request, PolicyLimits defaults)
    {
        Require(request.Generation > 0, "generation", "must be above 0.");
        Require(request.OrganizationId.Length > 0, "organization_id", "is required.");
        var policy = request.Policy is null ? PolicyCompiler.Nothing(defaults) : PolicyOf(request.Policy, defaults);
        return new GateOrder(SandboxIdOf(request.SandboxId), request.Generation, request.OrganizationId, GateOf(request.GateNamespace), policy);
    }

    public static string GateOf(string path)
    {
        Require(Path.IsPathFullyQualified(path), "gate_namespace", "must be an absolute path.");
        return path;
    }

    public static EgressPolicy PolicyOf(Policy? policy, PolicyLimits defaults)
    {
        Require(policy is not null, "policy", "is required.");
        try
        {
            return PolicyCompiler.Compile(policy!, defaults);
        }
        catch (PolicyException problem)
        {
            throw RpcErrors.InvalidArgument(problem.Field, problem.Description);
        }
    }

    /// <summary>It is part of a file's name, so nothing else may stand in it.</summary>
    public static string SandboxIdOf(string id)
    {
        Require(SandboxId().IsMatch(id), "sandbox_id", "must be a sandbox's id.");
        return id;
    }

    private static void Require(bool condition, string field, string description)
    {
        if (!condition) throw RpcErrors.InvalidArgument(field, description);
    }

    [GeneratedRegex("^[a-z0-9][a-z0-9-]{0,99}\\z")]
    private static partial Regex SandboxId();
}
