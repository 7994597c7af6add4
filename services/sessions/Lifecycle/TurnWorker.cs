using Corral.Sessions.Records;

namespace Corral.Sessions.Lifecycle;

/// <summary>Drives the sandbox whose turn has come as soon as another leaves room. Should that be lost, it looks for itself.</summary>
internal sealed class TurnWorker(SandboxStore store, SandboxDriver driver) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        store.Vacated += driver.Drive;
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        store.Vacated -= driver.Drive;
        return Task.CompletedTask;
    }
}
