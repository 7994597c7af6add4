using Corral.Hosting;
using Corral.Scheduler.Nodes;
using Corral.Scheduler.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.Extensions.Options;

namespace Corral.Scheduler.Grpc;

internal sealed class NodeAdminGrpcService(NodeStore nodes, IOptions<SchedulerOptions> options, TimeProvider clock) : NodeAdminService.NodeAdminServiceBase
{
    public override async Task<ListNodesResponse> ListNodes(ListNodesRequest request, ServerCallContext context)
    {
        var response = new ListNodesResponse();
        response.Nodes.AddRange((await nodes.ReadAsync()).Select(Describe));
        return response;
    }

    public override async Task<CordonNodeResponse> CordonNode(CordonNodeRequest request, ServerCallContext context)
    {
        if (!await nodes.CordonAsync(request.NodeId, request.Cordoned))
        {
            throw Missing();
        }

        return new CordonNodeResponse { Node = await FindAsync(request.NodeId) };
    }

    public override async Task<DrainNodeResponse> DrainNode(DrainNodeRequest request, ServerCallContext context)
    {
        if (request.Drain is not { Reason.Length: > 0 } drain)
        {
            throw RpcErrors.InvalidArgument("drain.reason", "is required");
        }

        return await nodes.DrainAsync(request.NodeId, drain) ? new DrainNodeResponse { Node = await FindAsync(request.NodeId) } : throw Missing();
    }

    private async Task<V1.Node> FindAsync(string nodeId) =>
        (await nodes.ReadAsync()).FirstOrDefault(node => node.Id == nodeId) is { } found ? Describe(found) : throw Missing();

    private V1.Node Describe(NodeState node) => new()
    {
        Description = node.Description,
        Committed = new Shape { CpuMillis = (int)node.CommittedCpu, MemoryBytes = node.CommittedMemory, DiskBytes = node.CommittedDisk },
        Sandboxes = node.Sandboxes,
        Cordoned = node.Cordoned,
        LastSeenAt = node.LastSeen.ToTimestamp(),
        Attached = clock.GetUtcNow() - node.LastSeen <= options.Value.NodeSilence,
        Drain = node.Drain,
    };

    private static RpcException Missing() => RpcErrors.NotFound("NODE_NOT_FOUND", "There is no such node.");
}
