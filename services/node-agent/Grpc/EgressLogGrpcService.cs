using Corral.Api.V1;
using Corral.Egress.V1;
using Corral.Hosting;
using Corral.NodeAgent.Outbound;
using Corral.NodeAgent.Sandboxes;
using Grpc.Core;

namespace Corral.NodeAgent.Grpc;

/// <summary>What sandboxes tried to reach: asked of egress, for the gateway's callers.</summary>
internal sealed class EgressLogGrpcService(EgressService.EgressServiceClient egress, SandboxTable table, TimeProvider clock, IHostApplicationLifetime lifetime)
    : EgressLogService.EgressLogServiceBase
{
    private const int MaxRecords = 1000;
    private const int UsualRecords = 100;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    public override async Task<ListEgressResponse> ListEgress(ListEgressRequest request, ServerCallContext context)
    {
        Boxes.CheckPast(table, request.SandboxId, context);
        var limit = request.HasLimit ? request.Limit : UsualRecords;
        if (limit is < 1 or > MaxRecords) throw RpcErrors.InvalidArgument("limit", $"must be 1 to {MaxRecords}");
        CheckAfter(request.After);
        var asked = new ListAuditRequest { SandboxId = request.SandboxId, After = request.After, Limit = limit, RefusedOnly = request.RefusedOnly };
        var options = new CallOptions(deadline: clock.GetUtcNow().UtcDateTime + Patience, cancellationToken: context.CancellationToken);
        try
        {
            var found = await egress.ListAuditAsync(asked, options);
            return new ListEgressResponse { Items = { found.Records.Select(EgressRecords.Public) }, Dropped = found.Dropped };
        }
        catch (RpcException problem) when (problem.StatusCode is StatusCode.Unavailable or StatusCode.DeadlineExceeded)
        {
            throw new EgressUnavailableException(problem);
        }
    }

    public override async Task WatchEgress(WatchEgressRequest request, IServerStreamWriter<WatchEgressResponse> responseStream, ServerCallContext context)
    {
        var box = Boxes.Of(table, request.SandboxId, context);
        CheckAfter(request.After);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, lifetime.ApplicationStopping);
        _ = box.Died.ContinueWith(_ => over.CancelAsync(), over.Token, TaskContinuationOptions.None, TaskScheduler.Default);
        var asked = new WatchAuditRequest { SandboxId = request.SandboxId, After = request.HasAfter ? request.After : -1 };
        try
        {
            using var call = egress.WatchAudit(asked, cancellationToken: over.Token);
            while (await call.ResponseStream.MoveNext(over.Token))
                await responseStream.WriteAsync(new WatchEgressResponse { Record = EgressRecords.Public(call.ResponseStream.Current.Record) }, over.Token);
        }
        catch (Exception problem) when (over.IsCancellationRequested && !context.CancellationToken.IsCancellationRequested && problem is RpcException or OperationCanceledException)
        {
            // The sandbox ended, or we do: so does the stream.
        }
        catch (RpcException problem) when (problem.StatusCode == StatusCode.Unavailable)
        {
            throw new EgressUnavailableException(problem);
        }
    }

    private static void CheckAfter(long after)
    {
        if (after < 0) throw RpcErrors.InvalidArgument("after", "must not be negative");
    }
}
