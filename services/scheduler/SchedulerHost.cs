using Corral.Hosting;
using Corral.Redis;
using Corral.Scheduler.Grpc;
using Corral.Scheduler.Nodes;
using Corral.Scheduler.Placement;
using Corral.Scheduler.V1;

namespace Corral.Scheduler;

/// <summary>What the scheduler is made of.</summary>
internal static class SchedulerHost
{
    public static void AddScheduler(this WebApplicationBuilder builder)
    {
        builder.Services.AddOptions<SchedulerOptions>().BindConfiguration("Scheduler").ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddSingleton(_ => new RedisConnection());
        builder.Services.AddSingleton<IReadinessCheck>(provider => provider.GetRequiredService<RedisConnection>());
        builder.Services.AddSingleton<NodeStore>();
        builder.Services.AddSingleton<ReservationStore>();
        builder.Services.AddSingleton<GrantFeed>();
    }

    public static void MapScheduler(this WebApplication app)
    {
        app.MapCorral(PlacementService.Descriptor, NodeRegistryService.Descriptor, NodeAdminService.Descriptor);
        app.MapGrpcService<PlacementGrpcService>();
        app.MapGrpcService<NodeRegistryGrpcService>();
        app.MapGrpcService<NodeAdminGrpcService>();
    }
}
