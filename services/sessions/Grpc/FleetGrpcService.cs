using Corral.Api.V1;
using Corral.Hosting;
using Corral.Scheduler.V1;
using Corral.Sessions.Clock;
using Corral.Sessions.Keys;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using CordonNodeRequest = Corral.Api.V1.CordonNodeRequest;
using CordonNodeResponse = Corral.Api.V1.CordonNodeResponse;
using DrainNodeRequest = Corral.Api.V1.DrainNodeRequest;
using DrainNodeResponse = Corral.Api.V1.DrainNodeResponse;
using ListNodesRequest = Corral.Api.V1.ListNodesRequest;
using ListNodesResponse = Corral.Api.V1.ListNodesResponse;
using Scheduling = Corral.Scheduler.V1;

namespace Corral.Sessions.Grpc;

/// <summary>The scheduler's nodes, for the operator alone.</summary>
internal sealed class FleetGrpcService(NodeAdminService.NodeAdminServiceClient scheduler, TimeProvider clock) : FleetService.FleetServiceBase
{
    private const long MaxDeadlineMs = 7 * 24 * 3_600_000L;
    private const int MaxReason = 200;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    public override async Task<ListNodesResponse> ListNodes(ListNodesRequest request, ServerCallContext context)
    {
        Operator.Check(CallerIdentity.From(context));
        var found = await scheduler.ListNodesAsync(new Scheduling.ListNodesRequest(), Options(context));
        var response = new ListNodesResponse();
        response.Items.AddRange(found.Nodes.Select(ToPublic));
        return response;
    }

    public override async Task<CordonNodeResponse> CordonNode(CordonNodeRequest request, ServerCallContext context)
    {
        Operator.Check(CallerIdentity.From(context));
        var cordon = new Scheduling.CordonNodeRequest { NodeId = request.NodeId, Cordoned = !request.HasCordoned || request.Cordoned };
        return new CordonNodeResponse { Node = ToPublic((await scheduler.CordonNodeAsync(cordon, Options(context))).Node) };
    }

    public override async Task<DrainNodeResponse> DrainNode(DrainNodeRequest request, ServerCallContext context)
    {
        Operator.Check(CallerIdentity.From(context));
        if (request.Reason.Length is 0 or > MaxReason)
        {
            throw RpcErrors.InvalidArgument("reason", $"must be 1 to {MaxReason} characters");
        }

        if (request.DeadlineMs is < 0 or > MaxDeadlineMs)
        {
            throw RpcErrors.InvalidArgument("deadline_ms", $"must be 0 to {MaxDeadlineMs}");
        }

        var drain = new NodeDrain { Reason = request.Reason, Deadline = request.HasDeadlineMs ? (clock.GetUtcNow() + TimeSpan.FromMilliseconds(request.DeadlineMs)).ToTimestamp() : null };
        var drained = await scheduler.DrainNodeAsync(new Scheduling.DrainNodeRequest { NodeId = request.NodeId, Drain = drain }, Options(context));
        return new DrainNodeResponse { Node = ToPublic(drained.Node) };
    }

    private static CallOptions Options(ServerCallContext context) =>
        new(deadline: Deadline.In(Patience), cancellationToken: context.CancellationToken);

    private static Api.V1.Node ToPublic(Scheduling.Node node) => new()
    {
        NodeId = node.Description.NodeId,
        Region = node.Description.Region,
        Attached = node.Attached,
        Cordoned = node.Cordoned,
        Drain = node.Drain is { } drain ? new Drain { Reason = drain.Reason, Deadline = drain.Deadline, Done = node.Sandboxes == 0 } : null,
        Sandboxes = node.Sandboxes,
        MaxSandboxes = node.Description.MaxSandboxes,
        Committed = Room(node.Committed),
        Capacity = Room(node.Description.Capacity),
        Templates = { node.Description.Templates },
        Isolations = { node.Description.Isolations },
        LastSeenAt = node.LastSeenAt,
    };

    private static NodeRoom Room(Shape shape) => new() { CpuMillis = shape.CpuMillis, MemoryBytes = shape.MemoryBytes, DiskBytes = shape.DiskBytes };
}
