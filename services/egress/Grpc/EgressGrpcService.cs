using Corral.Egress.V1;
using Corral.Hosting;
using Grpc.Core;

namespace Corral.Egress.Grpc;

/// <summary>Refuses every gate, so that nothing can take "no egress" for "attached": fail closed.</summary>
internal sealed class EgressGrpcService : EgressService.EgressServiceBase
{
    public override Task<AttachResponse> Attach(AttachRequest request, ServerCallContext context) =>
        throw RpcErrors.FailedPrecondition("EGRESS_NOT_OFFERED", "This version gives sandboxes no outbound network.");

    public override Task<DetachResponse> Detach(DetachRequest request, ServerCallContext context) =>
        Task.FromResult(new DetachResponse());
}
