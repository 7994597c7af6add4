using Corral.Hosting;
using Corral.NodeAgent.Commands;
using Corral.NodeAgent.Files;
using Corral.NodeAgent.Grpc;
using Corral.NodeAgent.Host;
using Corral.NodeAgent.Host.Cgroups;
using Corral.NodeAgent.Networks;
using Corral.NodeAgent.Outbound;
using Corral.NodeAgent.Runtimes;
using Corral.NodeAgent.Sandboxes;
using Corral.NodeAgent.Storage;
using Corral.NodeAgent.Terminals;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Corral.NodeAgent;

/// <summary>What the node-agent is made of.</summary>
internal static class NodeAgentHost
{
    public static void AddNodeAgent(this WebApplicationBuilder builder)
    {
        builder.Services.AddOptions<NodeOptions>().BindConfiguration("Node");
        builder.Services.AddNode(CorralPaths.Node, CorralPaths.Templates);
        builder.Services.AddCorralClient<Scheduler.V1.NodeRegistryService.NodeRegistryServiceClient>("scheduler");
        builder.Services.AddCorralClient<Sessions.V1.NodeReportService.NodeReportServiceClient>("sessions");
        builder.Services.AddSingleton<NodeGrpcService>();
        builder.Services.AddSingleton<CommandStreams>();
        builder.Services.AddSingleton<ExecGrpcService>();
        builder.Services.AddSingleton<TerminalGrpcService>();
        builder.Services.AddSingleton<FileWatches>();
        builder.Services.AddSingleton<FileGrpcService>();
        builder.Services.AddSingleton<EgressLogGrpcService>();
        builder.Services.AddHostedService<SchedulerLink>();
        builder.Services.AddHostedService<SessionsLink>();
    }

    public static void MapNodeAgent(this WebApplication app)
    {
        app.MapCorral(
            Node.V1.NodeService.Descriptor, Api.V1.ExecService.Descriptor, Api.V1.TerminalService.Descriptor, Api.V1.FileService.Descriptor, Api.V1.EgressLogService.Descriptor);
        app.MapGrpcService<NodeGrpcService>();
        app.MapGrpcService<ExecGrpcService>();
        app.MapGrpcService<TerminalGrpcService>();
        app.MapGrpcService<FileGrpcService>();
        app.MapGrpcService<EgressLogGrpcService>();
    }

    /// <summary>Ends everything and leaves nothing: for an instance that is taken down for good. The node-agent must not be running.</summary>
    public static async Task<int> PurgeAsync()
    {
        if (!Directory.Exists(CorralPaths.Node)) return 0;
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder().AddEnvironmentVariables("CORRAL_CONFIG_").Build());
        services.AddOptions<NodeOptions>().BindConfiguration("Node");
        services.AddNode(CorralPaths.Node, CorralPaths.Templates);
        await NodePurge.RunAsync(services.BuildServiceProvider());
        return 0;
    }

    /// <summary>Everything below the gRPC services. Opening it touches the host: directories, the pool's mount, the boxes' view.</summary>
    public static IServiceCollection AddNode(this IServiceCollection services, string home, string templates)
    {
        services.AddSingleton<IValidateOptions<NodeOptions>, NodeOptionsValidator>();
        services.AddOptions<NodeOptions>().ValidateOnStart();
        services.AddSingleton(provider => provider.GetRequiredService<IOptions<NodeOptions>>().Value);
        services.AddSingleton(_ =>
        {
            var paths = new NodePaths(home);
            paths.Create();
            return paths;
        });
        services.AddSingleton<NodeTelemetry>();
        services.AddSingleton<DeathWatch>();
        services.AddSingleton<GateDialer>();
        services.AddSingleton<GuestConnection>();
        services.AddSingleton(provider => OpenCgroups(provider.GetRequiredService<NodePaths>(), provider.GetRequiredService<NodeOptions>()));
        services.AddSingleton(provider => StoragePools.Open(
            provider.GetRequiredService<NodePaths>(), provider.GetRequiredService<NodeOptions>(), provider.GetRequiredService<ILogger<NodePaths>>()));
        services.AddSingleton(provider => RuntimeCatalog.Detect(provider.GetRequiredService<NodePaths>(), provider.GetRequiredService<NodeOptions>()));
        services.AddSingleton(provider =>
        {
            // The view is a copy of the host's mounts: the pool must be among them, and the networks' place is to be left out.
            _ = provider.GetRequiredService<IStoragePool>();
            var paths = provider.GetRequiredService<NodePaths>();
            NetworkPool.Prepare(paths);
            return BoxView.CreateAsync(paths).GetAwaiter().GetResult();
        });
        services.AddSingleton(provider => new NodeCapacity(
            provider.GetRequiredService<NodeOptions>(), provider.GetRequiredService<IStoragePool>().CapacityBytes));
        services.AddSingleton(provider => new Journal(provider.GetRequiredService<NodePaths>().Journal));
        services.AddSingleton(_ => new TemplateCatalog(templates));
        services.AddSingleton<NetworkPool>();
        services.TryAddSingleton<ChannelPool>();
        services.AddCorralClient<Egress.V1.EgressService.EgressServiceClient>("egress");
        services.AddSingleton<GateAttacher>();
        services.AddSingleton<BoxRemover>();
        services.AddSingleton<BoxStarter>();
        services.AddSingleton<BoxClaimer>();
        services.AddSingleton<SandboxFeed>();
        services.AddSingleton<SandboxTable>();
        services.AddSingleton<Recovery>();
        services.AddSingleton<UsageReader>();
        services.AddSingleton<CommandRunner>();
        services.AddSingleton<LastingCommands>();
        services.AddSingleton<TerminalShells>();
        services.AddSingleton<TerminalTokens>();
        services.AddSingleton<Grep>();
        services.AddSingleton<CodeRunner>();
        services.AddSingleton<WarmPool>();
        services.AddHostedService<NodeStart>();
        services.AddHostedService<EgressWatch>();
        services.AddHostedService(provider => provider.GetRequiredService<WarmPool>());
        return services;
    }

    private static ICgroups OpenCgroups(NodePaths paths, NodeOptions options)
    {
        if (options.FavourCgroupMoves) CgroupDetector.TryFavourMoves(File.ReadLines("/proc/self/mountinfo"));
        return CgroupDetector.Detect(paths.Prefix);
    }
}
