using Corral.Hosting;
using Corral.Scheduler.Placement;
using Corral.Scheduler.V1;
using Grpc.Core;

namespace Corral.Scheduler.Grpc;

internal sealed class PlacementGrpcService(ReservationStore reservations, GrantFeed grants, IHostApplicationLifetime lifetime) : PlacementService.PlacementServiceBase
{
    public override async Task<ReserveResponse> Reserve(ReserveRequest request, ServerCallContext context)
    {
        Requests.Check(request);
        return await reservations.ReserveAsync(request) switch
        {
            ReserveOutcome.Reserved reserved => new ReserveResponse { Reservation = reserved.Reservation },
            ReserveOutcome.Queued queued => new ReserveResponse { Queued = new QueuePosition { Position = queued.Position } },
            ReserveOutcome.Impossible => throw RpcErrors.ResourceExhausted("NO_SUCH_NODE", "No node offers this template, isolation and size."),
            _ => throw RpcErrors.FailedPrecondition("STALE_GENERATION", "A newer attempt holds room already."),
        };
    }

    public override async Task<ConfirmResponse> Confirm(ConfirmRequest request, ServerCallContext context) =>
        await reservations.ConfirmAsync(request.SandboxId, request.Generation)
            ? new ConfirmResponse()
            : throw RpcErrors.FailedPrecondition("RESERVATION_EXPIRED", "The reservation is gone.");

    public override async Task<ReleaseResponse> Release(ReleaseRequest request, ServerCallContext context)
    {
        await reservations.ReleaseAsync(request.SandboxId, request.Generation);
        return new ReleaseResponse();
    }

    public override async Task WatchGrants(WatchGrantsRequest request, IServerStreamWriter<WatchGrantsResponse> responseStream, ServerCallContext context)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, lifetime.ApplicationStopping);
        await foreach (var grant in grants.WatchAsync(ended.Token))
        {
            await responseStream.WriteAsync(grant, ended.Token);
        }
    }
}
