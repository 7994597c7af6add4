using Corral.Hosting;
using Corral.Scheduler.V1;
using Corral.Sessions.Records;
using Grpc.Core;

namespace Corral.Sessions.Lifecycle;

/// <summary>Drives queued sandboxes as soon as the scheduler says that their turn has come.</summary>
internal sealed class GrantWorker(PlacementService.PlacementServiceClient scheduler, SandboxStore store, SandboxDriver driver, TimeProvider clock) : BackgroundService
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                using var grants = scheduler.WatchGrants(new WatchGrantsRequest(), cancellationToken: stoppingToken);
                await foreach (var grant in grants.ResponseStream.ReadAllAsync(stoppingToken))
                {
                    if (await store.OwnerAsync(grant.SandboxId) is { } organization)
                    {
                        driver.Drive(organization, grant.SandboxId);
                    }
                }
            }
            catch (Exception exception) when (exception is RpcException or DependencyUnavailableException)
            {
                // The stream is opened again; queued sandboxes ask by themselves meanwhile.
            }

            await Task.Delay(Pause, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
