using System.Net;
using Corral.Api.V1;
using Corral.Hosting;
using Corral.Redis;
using Corral.Scheduler.V1;
using Corral.Sessions.Clock;
using Corral.Sessions.Creating;
using Corral.Sessions.Events;
using Corral.Sessions.Grpc;
using Corral.Sessions.Keys;
using Corral.Sessions.Ledger;
using Corral.Sessions.Lifecycle;
using Corral.Sessions.Listing;
using Corral.Sessions.Nodes;
using Corral.Sessions.Organizations;
using Corral.Sessions.Policies;
using Corral.Sessions.Records;
using Corral.Sessions.Usage;
using Corral.Sessions.V1;
using Corral.Sessions.Vault;
using Corral.Sessions.Webhooks;
using Microsoft.Extensions.Options;

namespace Corral.Sessions;

/// <summary>What sessions is made of.</summary>
internal static class SessionsHost
{
    public static void AddSessions(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSingleton<IValidateOptions<PlanOptions>, PlanOptionsValidator>();
        services.AddOptions<PlanOptions>().BindConfiguration("Plans").ValidateOnStart();
        services.AddSingleton<IValidateOptions<LedgerOptions>, LedgerOptionsValidator>();
        services.AddOptions<LedgerOptions>().BindConfiguration("Ledger").ValidateOnStart();
        services.AddOptions<PolicyOptions>().BindConfiguration("NetworkPolicy").ValidateOnStart();
        services.AddSingleton<IValidateOptions<PolicyOptions>, PolicyOptionsValidator>();
        services.AddSingleton<IValidateOptions<ClockOptions>, ClockOptionsValidator>();
        services.AddOptions<ClockOptions>().BindConfiguration("Clock").ValidateOnStart();
        services.AddSingleton<TimeProvider>(provider => new SteadyClock(
            TimeProvider.System, () => BootTime.Elapsed, ClockAnchor.OfThisHost, provider.GetRequiredService<IOptions<ClockOptions>>().Value.LargestJump,
            provider.GetRequiredService<ILogger<SteadyClock>>()));
        services.AddSingleton<IValidateOptions<EventOptions>, EventOptionsValidator>();
        services.AddOptions<EventOptions>().BindConfiguration("Events").ValidateOnStart();
        services.AddSingleton<IValidateOptions<WebhookOptions>, WebhookOptionsValidator>();
        services.AddSingleton<IValidateOptions<WebhookOptions>, PermittedRangesValidator>();
        services.AddOptions<WebhookOptions>().BindConfiguration("Webhooks").ValidateOnStart();
        services.AddSingleton(_ => new RedisConnection());
        services.AddSingleton<IReadinessCheck>(provider => provider.GetRequiredService<RedisConnection>());
        services.AddCorralClient<PlacementService.PlacementServiceClient>("scheduler");
        services.AddCorralClient<NodeAdminService.NodeAdminServiceClient>("scheduler");

        services.AddSingleton<EventLog>();
        services.AddSingleton<EventWatch>();
        services.AddSingleton<SandboxStore>();
        services.AddSingleton<Secrets>();
        services.AddSingleton<OrganizationStore>();
        services.AddSingleton<OrganizationRegister>();
        services.AddSingleton<KeyStore>();
        services.AddSingleton<ApiKeys>();
        services.AddSingleton<BootstrapKey>();
        services.AddSingleton<Bootstrap>();
        services.AddSingleton<IReadinessCheck>(provider => provider.GetRequiredService<Bootstrap>());
        services.AddHostedService(provider => provider.GetRequiredService<Bootstrap>());

        services.AddSingleton<PolicyValidator>();
        services.AddSingleton<PolicySealer>();
        services.AddSingleton<PolicyDrafter>();
        services.AddSingleton<PolicyResolver>();
        services.AddSingleton<PolicyChanger>();
        services.AddSingleton<SecretStore>();
        services.AddSingleton<SecretVault>();
        services.AddSingleton<Rotations>();

        services.AddSingleton<UsageReader>();
        services.AddSingleton<Allowances>();
        services.AddSingleton<WaitingLine>();
        services.AddSingleton<PlanRefusals>();
        services.AddSingleton<SandboxCreator>();
        services.AddSingleton<DueQueue>();
        services.AddSingleton<SandboxDriver>();
        services.AddSingleton<SandboxEnder>();
        services.AddSingleton<ChangeFeed>();
        services.AddHostedService(provider => provider.GetRequiredService<ChangeFeed>());
        services.AddHostedService<DueWorker>();
        services.AddHostedService<GrantWorker>();
        services.AddHostedService<TurnWorker>();

        services.AddSingleton<ReadyWait>();
        services.AddSingleton<SandboxPages>();
        services.AddSingleton<Terminations>();

        services.AddSingleton<ResolveName>(_ => Dns.GetHostAddressesAsync);
        services.AddSingleton<Targets>();
        services.AddSingleton(provider => new Sender(
            provider.GetRequiredService<Targets>(), provider.GetRequiredService<Secrets>(), provider.GetRequiredService<IOptions<WebhookOptions>>(),
            provider.GetRequiredService<TimeProvider>(), receivers: TimeProvider.System));
        services.AddSingleton<WebhookStore>();
        services.AddSingleton<DeliveryStore>();
        services.AddSingleton<WebhookRegistry>();
        services.AddSingleton<Deliverer>();
        services.AddSingleton<Couriers>();
        services.AddSingleton<OnDemand>();

        services.AddSingleton<NodeReconciler>();
        services.AddSingleton<LostSandboxes>();
        services.AddSingleton<DrainedNodes>();
        services.AddHostedService<DrainWorker>();
    }

    public static void MapSessions(this WebApplication app)
    {
        app.MapCorral(
            SandboxService.Descriptor, RuntimeService.Descriptor, NetworkPolicyService.Descriptor, SecretService.Descriptor,
            OrganizationService.Descriptor, ApiKeyService.Descriptor, UsageService.Descriptor, TerminationService.Descriptor,
            EventService.Descriptor, WebhookService.Descriptor, FleetService.Descriptor, AccessService.Descriptor, NodeReportService.Descriptor);
        app.MapGrpcService<SandboxGrpcService>();
        app.MapGrpcService<RuntimeGrpcService>();
        app.MapGrpcService<NetworkPolicyGrpcService>();
        app.MapGrpcService<SecretGrpcService>();
        app.MapGrpcService<OrganizationGrpcService>();
        app.MapGrpcService<ApiKeyGrpcService>();
        app.MapGrpcService<UsageGrpcService>();
        app.MapGrpcService<TerminationGrpcService>();
        app.MapGrpcService<EventGrpcService>();
        app.MapGrpcService<WebhookGrpcService>();
        app.MapGrpcService<FleetGrpcService>();
        app.MapGrpcService<AccessGrpcService>();
        app.MapGrpcService<NodeReportGrpcService>();
    }
}
