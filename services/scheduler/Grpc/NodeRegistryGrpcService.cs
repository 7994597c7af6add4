using Corral.Scheduler.Nodes;
using Corral.Scheduler.V1;
using Grpc.Core;
using Microsoft.Extensions.Options;

namespace Corral.Scheduler.Grpc;

internal sealed class NodeRegistryGrpcService(NodeStore nodes, IOptions<SchedulerOptions> options, IHostApplicationLifetime lifetime)
    : NodeRegistryService.NodeRegistryServiceBase
{
    public override async Task Attach(IAsyncStreamReader<AttachRequest> requestStream, IServerStreamWriter<AttachResponse> responseStream, ServerCallContext context)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, lifetime.ApplicationStopping);
        NodeDescription? node = null;
        while (await requestStream.MoveNext(ended.Token))
        {
            var said = requestStream.Current;
            if (said.Description is not null || node is null)
            {
                Requests.Check(said.Description);
                node = said.Description;
                await nodes.DescribeAsync(node);
                await responseStream.WriteAsync(Targets(node), ended.Token);
            }
            else
            {
                await nodes.SeenAsync(node.NodeId, said.Heartbeat.Accepting);
            }
        }
    }

    private AttachResponse Targets(NodeDescription node)
    {
        var response = new AttachResponse();
        response.WarmTargets.AddRange(
            from template in node.Templates
            from isolation in node.Isolations
            select new WarmCount { Template = template, Isolation = isolation, Count = options.Value.WarmTargets.Base });
        return response;
    }
}
