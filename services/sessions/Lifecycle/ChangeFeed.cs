using Corral.Hosting;
using Corral.Sessions.Records;

namespace Corral.Sessions.Lifecycle;

/// <summary>Wakes those who wait for a sandbox to change, or for an organisation's next event, on whatever replica it happened.</summary>
internal sealed class ChangeFeed(SandboxStore store, TimeProvider clock) : BackgroundService
{
    // Should a notice be lost, the waiting look for themselves.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    // A fixed number, so that what is asked for does not fill the memory; who shares one is woken in vain now and then.
    private readonly TaskCompletionSource[] _waiting = [.. Enumerable.Range(0, 4096).Select(_ => NewSource())];

    /// <summary>Ends at the next change of this sandbox, or event of this organisation, or before. Take it before you look.</summary>
    public Task NextAsync(string id) => Volatile.Read(ref Slot(id)).Task;

    /// <summary>Waits for a change, but not for ever.</summary>
    public async Task WaitAsync(Task change, CancellationToken cancellationToken)
    {
        await Task.WhenAny(change, Task.Delay(Patience, clock, cancellationToken));
        cancellationToken.ThrowIfCancellationRequested();
    }

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

    private void Changed(string id) => Interlocked.Exchange(ref Slot(id), NewSource()).TrySetResult();

    private ref TaskCompletionSource Slot(string id) => ref _waiting[(uint)id.GetHashCode(StringComparison.Ordinal) % _waiting.Length];

    private static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
