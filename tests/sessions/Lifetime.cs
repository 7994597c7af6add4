using Microsoft.Extensions.Hosting;

namespace Corral.Sessions.Tests;

/// <summary>The life of a process that a test ends.</summary>
internal sealed class Lifetime : IHostApplicationLifetime, IDisposable
{
    private readonly CancellationTokenSource _stopping = new();

    public CancellationToken ApplicationStarted => new(canceled: true);

    public CancellationToken ApplicationStopping => _stopping.Token;

    public CancellationToken ApplicationStopped => CancellationToken.None;

    public void StopApplication() => _stopping.Cancel();

    // The source is not disposed: what a replica left running may look at it later, as in a process that stops.
    public void Dispose() => _stopping.Cancel();
}
