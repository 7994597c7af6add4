using Corral.Hosting;
using Corral.Sessions.Vault;
using Corral.Sessions.Webhooks;

namespace Corral.Sessions.Lifecycle;

/// <summary>Takes what is due and has it driven: expiry, retries, webhooks, and what another replica dropped.</summary>
internal sealed class DueWorker(DueQueue due, SandboxDriver driver, Rotations rotations, Couriers couriers, TimeProvider clock) : BackgroundService
{
    private const int Batch = 100;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                foreach (var (organization, id) in await due.TakeAsync(Batch))
                {
                    if (Rotations.IsRotation(id))
                    {
                        rotations.Resume(organization, id);
                    }
                    else if (Couriers.IsWebhook(id))
                    {
                        couriers.Start(organization, id);
                    }
                    else
                    {
                        driver.Drive(organization, id);
                    }
                }
            }
            catch (DependencyUnavailableException)
            {
                // Looked for again after the pause, as always.
            }

            await Task.Delay(Pause, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
