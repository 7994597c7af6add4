using Corral.Api.V1;
using Corral.Sessions.Records;

namespace Corral.Sessions.Lifecycle;

/// <summary>Waits for sandboxes that still start.</summary>
internal sealed class ReadyWait(SandboxStore store, ChangeFeed changes, TimeProvider clock, IHostApplicationLifetime lifetime)
{
    /// <summary>The record once it no longer starts, or as it is when the time is up; null when there is none.</summary>
    public async Task<SandboxRecord?> FindAsync(string organization, string id, TimeSpan patience, CancellationToken cancellationToken)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lifetime.ApplicationStopping);
        var until = clock.GetUtcNow() + patience;
        while (true)
        {
            var change = changes.NextAsync(id);
            var record = (await store.FindAsync(organization, id))?.Record;
            if (record?.State is not (SandboxState.Queued or SandboxState.Assigning) || clock.GetUtcNow() >= until)
            {
                return record;
            }

            await changes.WaitAsync(change, ended.Token);
            ended.Token.ThrowIfCancellationRequested();
        }
    }
}
