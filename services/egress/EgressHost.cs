using Corral.Egress.Grpc;
using Corral.Hosting;

namespace Corral.Egress;

/// <summary>What the egress service is made of. It carries nothing yet: a sandbox has no way out.</summary>
internal static class EgressHost
{
    public static void AddEgress(this WebApplicationBuilder builder) =>
        builder.Services.AddSingleton<EgressGrpcService>();

    public static void MapEgress(this WebApplication app)
    {
        app.MapCorral(V1.EgressService.Descriptor);
        app.MapGrpcService<EgressGrpcService>();
    }
}
