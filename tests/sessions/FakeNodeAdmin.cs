using Corral.Scheduler.V1;
using Grpc.Core;

namespace Corral.Sessions.Tests;

/// <summary>A scheduler that knows nodes and how they are drained.</summary>
internal sealed class FakeNodeAdmin : NodeAdminService.NodeAdminServiceBase
{
    public IReadOnlyList<Corral.Scheduler.V1.Node> Nodes { get; set; } = [];

    /// <summary>The last request to drain one.</summary>
    public DrainNodeRequest? Drained { get; private set; }

    public static Corral.Scheduler.V1.Node Node(string id, int sandboxes, NodeDrain? drain = null) => new()
    {
        Description = new NodeDescription { NodeId = id, Region = "iad", MaxSandboxes = 10, Capacity = new Shape { CpuMillis = 2000 } },
        Committed = new Shape(),
        Sandboxes = sandboxes,
        Cordoned = drain is not null,
        Drain = drain,
    };

    public override Task<ListNodesResponse> ListNodes(ListNodesRequest request, ServerCallContext context) =>
        Task.FromResult(new ListNodesResponse { Nodes = { Nodes } });

    public override Task<DrainNodeResponse> DrainNode(DrainNodeRequest request, ServerCallContext context)
    {
        Drained = request;
        return Task.FromResult(new DrainNodeResponse { Node = Node(request.NodeId, 0, request.Drain) });
    }
}
