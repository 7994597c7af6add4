using Corral.Hosting;
using Grpc.Core;

namespace Corral.Sessions.Nodes;

/// <summary>Looks at the drains of nodes, now and then.</summary>
internal sealed class DrainWorker(DrainedNodes nodes, TimeProvider clock) : BackgroundService
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

            await Task.Delay(Pause, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
