using Corral.Hosting;
using Corral.Scheduler.V1;

namespace Corral.Scheduler.Grpc;

/// <summary>Refuses requests that cannot be meant.</summary>
internal static class Requests
{
    public static void Check(ReserveRequest request)
    {
        Require(request.SandboxId.Length > 0, "sandbox_id", "is required");
        Require(request.Generation > 0, "generation", "must be above 0");
        Require(request.OrganizationId.Length > 0, "organization_id", "is required");
        Require(request.Template.Length > 0, "template", "is required");
        Require(request.Shape is { CpuMillis: > 0, MemoryBytes: > 0, DiskBytes: >= 0 }, "shape", "needs processors and memory above 0");
    }

    public static void Check([System.Diagnostics.CodeAnalysis.NotNull] NodeDescription? node)
    {
        if (node is not { NodeId.Length: > 0 })
        {
            throw RpcErrors.InvalidArgument("description.node_id", "is required, in the first message");
        }

        Require(!node.NodeId.Any(char.IsWhiteSpace), "description.node_id", "must be without spaces");
        Require(node.Address.Length > 0, "description.address", "is required");
        Require(node.Capacity is { CpuMillis: > 0, MemoryBytes: > 0 }, "description.capacity", "needs processors and memory above 0");
    }

    private static void Require(bool holds, string field, string description)
    {
        if (!holds)
        {
            throw RpcErrors.InvalidArgument(field, description);
        }
    }
}
