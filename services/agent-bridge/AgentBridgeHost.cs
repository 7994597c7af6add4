using Corral.AgentBridge.Grpc;
using Corral.Hosting;

namespace Corral.AgentBridge;

/// <summary>What the agent bridge is made of. No sandbox has an agent yet.</summary>
internal static class AgentBridgeHost
{
    public static void AddAgentBridge(this WebApplicationBuilder builder) =>
        builder.Services.AddSingleton<AgentGrpcService>();

    public static void MapAgentBridge(this WebApplication app)
    {
        app.MapCorral(Agent.V1.AgentService.Descriptor);
        app.MapGrpcService<AgentGrpcService>();
    }
}
