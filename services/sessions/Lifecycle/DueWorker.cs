using Corral.Hosting;
using Corral.Sessions.Vault;
using Corral.Sessions.Webhooks;

namespace Corral.Sessions.Lifecycle;

/// <summary>Takes what is due and has it driven: expiry, retries, webhooks, and what another replica dropped.</summary>
internal sealed partial class DueWorker(
    DueQueue due, SandboxDriver driver, Rotations rotations, Couriers couriers, TimeProvider clock, ILogger<DueWorker> log) : BackgroundService
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
            catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
            {
                // What is due stays so; without anybody who looks for it, nothing would ever end.
                LogFault(exception);
            }

            await Task.Delay(Pause, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "What is due could not be taken.")]
    private partial void LogFault(Exception exception);
}
