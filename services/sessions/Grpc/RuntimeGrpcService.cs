using Corral.Api.V1;
using Corral.Hosting;
using Corral.Node.V1;
using Corral.Sessions.Clock;
using Corral.Sessions.Records;
using Grpc.Core;

namespace Corral.Sessions.Grpc;

internal sealed class RuntimeGrpcService(SandboxStore store, ChannelPool channels) : RuntimeService.RuntimeServiceBase
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    public override async Task<GetRuntimeResponse> GetRuntime(GetRuntimeRequest request, ServerCallContext context)
    {
        var caller = CallerIdentity.From(context);
        var record = (Ids.IsValid(request.SandboxId, "sbx-") ? await store.FindAsync(caller.OrganizationId, request.SandboxId) : null)?.Record
            ?? throw RpcErrors.NotFound("SANDBOX_NOT_FOUND", "Sandbox session not found");
        var response = new GetRuntimeResponse { SandboxId = record.Id, State = record.State };
        if (record.TakesWork)
        {
            var node = new NodeService.NodeServiceClient(channels.Get(record.NodeAddress));
            var usage = await node.GetUsageAsync(
                new GetUsageRequest { SandboxId = record.Id }, deadline: Deadline.In(Patience), cancellationToken: context.CancellationToken);
            response.Resources = usage.Resources;
            response.Ports.AddRange(usage.Ports);
        }

        return response;
    }
}
