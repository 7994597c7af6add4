using Corral.Hosting;
using Corral.Sessions.Nodes;
using Corral.Sessions.V1;
using Grpc.Core;

namespace Corral.Sessions.Grpc;

internal sealed class NodeReportGrpcService(NodeReconciler reconciler, LostSandboxes lost, TimeProvider clock, IHostApplicationLifetime lifetime) : NodeReportService.NodeReportServiceBase
{
    public override async Task Report(IAsyncStreamReader<ReportRequest> requestStream, IServerStreamWriter<ReportResponse> responseStream, ServerCallContext context)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, lifetime.ApplicationStopping);
        if (!await requestStream.MoveNext(ended.Token) || requestStream.Current.Introduction is not { NodeId.Length: > 0 } node)
        {
            throw RpcErrors.InvalidArgument("introduction.node_id", "is required, in the first message");
        }

        var introducedAt = clock.GetUtcNow();
        // It lists what it has once it knows that this moment is over.
        await context.WriteResponseHeadersAsync([]);
        HashSet<(string, long)>? named = [];
        while (await requestStream.MoveNext(ended.Token))
        {
            switch (requestStream.Current.ReportCase)
            {
                case ReportRequest.ReportOneofCase.Observation:
                    var seen = requestStream.Current.Observation;
                    named?.Add((seen.SandboxId, seen.Generation));
                    await responseStream.WriteAsync(await AnswerAsync(node.NodeId, seen), ended.Token);
                    break;
                case ReportRequest.ReportOneofCase.Inventory when named is not null:
                    await lost.FailMissingAsync(node.NodeId, named, introducedAt);
                    named = null;
                    break;
            }
        }
    }

    private async Task<ReportResponse> AnswerAsync(string nodeId, SandboxObservation seen) => await reconciler.ObserveAsync(nodeId, seen)
        ? new ReportResponse { Acknowledgement = new Acknowledgement { SandboxId = seen.SandboxId, Generation = seen.Generation, Observed = seen.Observed } }
        : new ReportResponse { End = new EndOrder { SandboxId = seen.SandboxId, Generation = seen.Generation } };
}
