using Corral.Hosting;
using Grpc.Core;

namespace Corral.Sessions.Nodes;

/// <summary>Looks at the drains of nodes, now and then.</summary>
internal sealed partial class DrainWorker(DrainedNodes nodes, TimeProvider clock, ILogger<DrainWorker> log) : BackgroundService
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(2);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await nodes.EndAsync(stoppingToken);
            }
            catch (Exception exception) when (exception is RpcException or DependencyUnavailableException)
            {
                // Looked at again after the pause, as always.
            }
            catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
            {
                LogFault(exception);
            }

            await Task.Delay(Pause, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The drains of nodes could not be looked at.")]
    private partial void LogFault(Exception exception);
}
