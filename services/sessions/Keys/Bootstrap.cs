using Corral.Hosting;
using Corral.Redis;

namespace Corral.Sessions.Keys;

/// <summary>Writes the first key as soon as Redis answers; until then the service is not ready.</summary>
internal sealed class Bootstrap(BootstrapKey key, TimeProvider clock) : BackgroundService, IReadinessCheck
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    private volatile bool _done;

    public string Name => "bootstrap";

    public ValueTask<bool> IsReadyAsync(CancellationToken cancellationToken) => ValueTask.FromResult(_done);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!_done)
        {
            try
            {
                await key.EnsureAsync();
                _done = true;
            }
            catch (StateStoreUnavailableException)
            {
                await Task.Delay(Pause, clock, stoppingToken);
            }
        }
    }
}
