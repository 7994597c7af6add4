using Corral.Egress.Audit;
using Corral.Egress.Dialing;
using Corral.Egress.Dialing.Proxies;
using Corral.Egress.Dns;
using Corral.Egress.Flows;
using Corral.Egress.Flows.Splicing;
using Corral.Egress.Gates;
using Corral.Egress.Grpc;
using Corral.Egress.Termination;
using Corral.Hosting;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;

namespace Corral.Egress;

/// <summary>What the egress service is made of.</summary>
internal static class EgressHost
{
    public static void AddEgress(this WebApplicationBuilder builder)
    {
        builder.Services.AddOptions<EgressOptions>().BindConfiguration("Egress");
        // Every attempt of every sandbox: for a collector, not for the console.
        builder.Logging.AddFilter<ConsoleLoggerProvider>(typeof(AuditLog).FullName, LogLevel.Warning);
        builder.Services.AddEgressCore(Path.Combine(CorralPaths.Home, "egress", "audit"));
        builder.Services.AddSingleton<EgressGrpcService>();
    }

    public static void MapEgress(this WebApplication app)
    {
        app.MapCorral(V1.EgressService.Descriptor);
        app.MapGrpcService<EgressGrpcService>();
    }

    /// <summary>Everything below the gRPC service.</summary>
    public static IServiceCollection AddEgressCore(this IServiceCollection services, string auditDirectory)
    {
        services.AddSingleton<IValidateOptions<EgressOptions>, EgressOptionsValidator>();
        services.AddOptions<EgressOptions>().ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton(provider => provider.GetRequiredService<IOptions<EgressOptions>>().Value);
        services.AddSingleton<EgressTelemetry>();

        services.AddSingleton(_ => new AuditPlace(auditDirectory));
        services.AddSingleton<AuditLog>();
        services.AddHostedService(provider => provider.GetRequiredService<AuditLog>());
        services.AddHostedService<AuditSweeper>();

        services.AddSingleton<ResolverClient>();
        services.AddSingleton<UpstreamResolver>();
        services.AddSingleton<DnsResponder>();
        services.AddSingleton<DnsServer>();

        services.AddSingleton<DestinationPolicy>();
        services.AddSingleton<DirectDialer>();
        services.AddSingleton(provider => ActivatorUtilities.CreateInstance<ProxyDialer>(provider, provider.GetRequiredService<DirectDialer>()));
        services.AddSingleton<IUpstreamDialer, UpstreamDialer>();

        services.AddSingleton<ReadinessPoller>();
        services.AddSingleton<PipePool>();
        services.AddSingleton<RelayFactory>();
        services.AddSingleton<HelloSniffer>();
        services.AddSingleton<FlowHandler>();
        services.AddSingleton<FlowServer>();

        services.AddTermination();

        services.AddSingleton<GateEntry>();
        services.AddSingleton<PreparedAuthorities>();
        services.AddSingleton<GateTable>();
        services.AddHostedService(provider => provider.GetRequiredService<GateTable>());
        return services;
    }
}
