using System.Collections.Concurrent;
using Corral.Hosting;
using Corral.Sessions.Records;

namespace Corral.Sessions.Lifecycle;

/// <summary>Wakes those who wait for a sandbox to change, on whatever replica it changed.</summary>
internal sealed class ChangeFeed(SandboxStore store, TimeProvider clock) : BackgroundService
{
    // Should a notice be lost, the waiting look for themselves.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<string, TaskCompletionSource> _waiting = new(StringComparer.Ordinal);

    /// <summary>Ends at the sandbox's next change. Take it before you look at the record.</summary>
    public Task NextAsync(string id) =>
        _waiting.GetOrAdd(id, static _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

    /// <summary>Waits for a change, but not for ever.</summary>
    public async Task WaitAsync(Task change, CancellationToken cancellationToken) =>
        await Task.WhenAny(change, Task.Delay(Patience, clock, cancellationToken));

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await store.WatchAsync(Changed);
                return;
            }
            catch (DependencyUnavailableException)
            {
                await Task.Delay(Patience, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private void Changed(string id)
    {
        if (_waiting.TryRemove(id, out var waiting))
        {
            waiting.TrySetResult();
        }
    }
}
