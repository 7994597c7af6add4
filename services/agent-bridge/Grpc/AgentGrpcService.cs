using Corral.Agent.V1;
using Corral.Hosting;
using Grpc.Core;

namespace Corral.AgentBridge.Grpc;

/// <summary>Says of every sandbox that it has no agent, which is true as long as none is offered.</summary>
internal sealed class AgentGrpcService : AgentService.AgentServiceBase
{
    public override Task<GetStateResponse> GetState(GetStateRequest request, ServerCallContext context)
    {
        CallerIdentity.From(context);
        throw RpcErrors.FailedPrecondition("AGENT_NOT_ENABLED", "OpenCode is not enabled");
    }
}
