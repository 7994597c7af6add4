using Corral.Egress.Audit;
using Corral.Egress.Gates;
using Corral.Egress.V1;
using Corral.Hosting;
using Grpc.Core;

namespace Corral.Egress.Grpc;

/// <summary>The gates and the audit, for the host's node-agent.</summary>
internal sealed class EgressGrpcService(GateTable gates, PreparedAuthorities prepared, AuditLog audit, EgressOptions options, IHostApplicationLifetime lifetime) : EgressService.EgressServiceBase
{
    private const int UsualLimit = 100, MostRecords = 1000;

    public override Task<PrepareGateResponse> PrepareGate(PrepareGateRequest request, ServerCallContext context)
    {
        try
        {
            return Task.FromResult(new PrepareGateResponse { CaCertificatePem = prepared.Prepare(GateRequests.GateOf(request.GateNamespace)) });
        }
        catch (GateException problem)
        {
            throw RpcErrors.FailedPrecondition("GATE_NOT_USABLE", problem.Message);
        }
    }

    public override async Task<AttachResponse> Attach(AttachRequest request, ServerCallContext context)
    {
        var order = GateRequests.OrderOf(request, options.Limits);
        try
        {
            var sandbox = await gates.AttachAsync(order)
                ?? throw RpcErrors.FailedPrecondition("STALE_GENERATION", "A later attempt to start this sandbox has the gate.");
            return new AttachResponse { CaCertificatePem = sandbox.Authority.CertificatePem };
        }
        catch (GateException problem)
        {
            throw RpcErrors.FailedPrecondition("GATE_NOT_USABLE", problem.Message);
        }
    }

    public override async Task<UpdatePolicyResponse> UpdatePolicy(UpdatePolicyRequest request, ServerCallContext context)
    {
        var policy = GateRequests.PolicyOf(request.Policy, options.Limits);
        var sandbox = await gates.UpdateAsync(request.SandboxId, request.Generation, policy)
            ?? throw RpcErrors.NotFound("NOT_ATTACHED", "The sandbox's gate is not attached.");
        return new UpdatePolicyResponse { Version = sandbox.Policy.Version };
    }

    public override async Task<DetachResponse> Detach(DetachRequest request, ServerCallContext context)
    {
        await gates.DetachAsync(request.SandboxId, request.Generation);
        return new DetachResponse();
    }

    public override async Task WatchAttached(WatchAttachedRequest request, IServerStreamWriter<WatchAttachedResponse> responseStream, ServerCallContext context)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, lifetime.ApplicationStopping);
        var response = new WatchAttachedResponse();
        response.Gates.AddRange(gates.Sandboxes.Select(sandbox => new AttachedGate
        {
            SandboxId = sandbox.Id,
            Generation = sandbox.Generation,
            PolicyVersion = sandbox.Policy.Version,
        }));
        await responseStream.WriteAsync(response, over.Token);
        await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, over.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public override async Task<ListAuditResponse> ListAudit(ListAuditRequest request, ServerCallContext context)
    {
        if (request.Limit is < 0 or > MostRecords) throw RpcErrors.InvalidArgument("limit", $"must be 1 to {MostRecords}, or 0.");
        var (trail, records, _) = await audit.ReadAsync(
            GateRequests.SandboxIdOf(request.SandboxId), new AuditCursor(request.After), request.Limit == 0 ? UsualLimit : request.Limit,
            request.RefusedOnly, context.CancellationToken);
        return new ListAuditResponse { Records = { records }, Dropped = trail.Dropped };
    }

    public override async Task WatchAudit(WatchAuditRequest request, IServerStreamWriter<WatchAuditResponse> responseStream, ServerCallContext context)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, lifetime.ApplicationStopping);
        await audit.FlushAsync(over.Token);
        var trail = audit.TrailOf(GateRequests.SandboxIdOf(request.SandboxId));
        var cursor = request.After < 0 ? trail.End() : new AuditCursor(request.After);
        // From here on nothing is missed; the caller may want to know before anything happens.
        await context.WriteResponseHeadersAsync([]);
        try
        {
            while (true)
            {
                // Taken before reading: what is written in between wakes us at once.
                var written = trail.Written;
                (var records, cursor) = trail.Read(cursor, MostRecords, refusedOnly: false);
                foreach (var record in records) await responseStream.WriteAsync(new WatchAuditResponse { Record = record }, over.Token);
                if (records.Count == 0) await written.WaitAsync(over.Token);
            }
        }
        catch (OperationCanceledException) when (over.IsCancellationRequested)
        {
            // The reader has gone, or the host stops: the stream ends.
        }
    }
}
