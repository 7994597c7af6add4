using System.Collections.Concurrent;
using Corral.Hosting;
using Corral.Scheduler.V1;
using Grpc.Core;

namespace Corral.Sessions.Tests;

/// <summary>A scheduler that gives each sandbox the first node that it does not exclude, or the first of all.</summary>
internal sealed class FakeScheduler(Calls calls, IReadOnlyList<FakeNode> nodes) : PlacementService.PlacementServiceBase
{
    /// <summary>Room that is held, by sandbox.</summary>
    public ConcurrentDictionary<string, (long Generation, string Node, bool Confirmed)> Held { get; } = new();

    /// <summary>Whether everybody waits.</summary>
    public bool Full { get; set; }

    public override Task<ReserveResponse> Reserve(ReserveRequest request, ServerCallContext context) => calls.MakeAsync("reserve", () =>
    {
        if (Full)
        {
            return new ReserveResponse { Queued = new QueuePosition { Position = 1 } };
        }

        var node = nodes.FirstOrDefault(n => !request.ExcludedNodeIds.Contains(n.Id)) ?? nodes[0];
        if (Held.TryGetValue(request.SandboxId, out var held) && held.Generation == request.Generation)
        {
            node = nodes.Single(n => n.Id == held.Node);
        }
        else
        {
            Held[request.SandboxId] = (request.Generation, node.Id, false);
        }

        return new ReserveResponse { Reservation = new Reservation { NodeId = node.Id, NodeAddress = node.Host.Address, Region = "iad", Isolation = "runsc" } };
    });

    public override Task<ConfirmResponse> Confirm(ConfirmRequest request, ServerCallContext context) => calls.MakeAsync("confirm", () =>
    {
        if (!Held.TryGetValue(request.SandboxId, out var held) || held.Generation != request.Generation)
        {
            throw RpcErrors.FailedPrecondition("RESERVATION_EXPIRED", "The reservation is gone.");
        }

        Held[request.SandboxId] = held with { Confirmed = true };
        return new ConfirmResponse();
    });

    public override Task<ReleaseResponse> Release(ReleaseRequest request, ServerCallContext context) => calls.MakeAsync("release", () =>
    {
        if (Held.TryGetValue(request.SandboxId, out var held) && held.Generation <= request.Generation)
        {
            Held.TryRemove(request.SandboxId, out _);
        }

        return new ReleaseResponse();
    });
}
