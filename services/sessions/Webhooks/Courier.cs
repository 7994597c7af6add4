using Corral.Hosting;
using Corral.Sessions.Events;
using Corral.Sessions.Lifecycle;
using Microsoft.Extensions.Options;

namespace Corral.Sessions.Webhooks;

/// <summary>
/// Carries one webhook's deliveries for as long as its lease in the due queue lasts. It queues what the log has for the webhook and tries what is due:
/// the first of each sandbox, a few sandboxes at once. What it writes counts only until another courier claims the webhook.
/// </summary>
internal sealed partial class Courier(
    string organization, string webhookId, WebhookStore webhooks, DeliveryStore deliveries, Deliverer deliverer, EventLog log, DueQueue due, ChangeFeed changes,
    IOptions<WebhookOptions> options, TimeProvider clock, ILogger<Courier> logger)
{
    private const int PageSize = 100;

    // Subjects are sandboxes; what happens to none of them stays in order by itself.
    private const string NoSandbox = "-";

    // Should a notice be lost, it looks for itself.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Again = TimeSpan.FromMilliseconds(250);

    private readonly string _owner = Ids.New("own-");
    private readonly Dictionary<string, Task> _running = new(StringComparer.Ordinal);

    /// <summary>Works until the webhook is gone, disabled or another's.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        var claimed = false;
        while (true)
        {
            stopping.ThrowIfCancellationRequested();
            try
            {
                claimed = claimed || await webhooks.ClaimAsync(organization, webhookId, _owner);
                if (!await StepAsync(stopping))
                {
                    return;
                }
            }
            catch (DependencyUnavailableException)
            {
                await Task.Delay(Again, clock, stopping);
            }
        }
    }

    // One look at everything; false when there is nothing more to do here.
    private async Task<bool> StepAsync(CancellationToken stopping)
    {
        var change = changes.NextAsync(organization);
        await due.KeepAsync(organization, Couriers.Entry(webhookId), DueQueue.Lease);
        var seen = await webhooks.FindAsync(organization, webhookId);
        if (seen is null || !seen.Record.Enabled)
        {
            await due.RestAsync(organization, Couriers.Entry(webhookId), seen?.Version ?? 0, null);
            return false;
        }

        if (seen.Owner != _owner)
        {
            return false;
        }

        var queuedAll = await QueueAsync(seen);
        var wait = await StartDueAsync(seen, stopping);
        if (queuedAll)
        {
            await Task.WhenAny([change, Task.Delay(wait < Patience ? wait : Patience, clock, stopping), .. _running.Values]);
        }

        return true;
    }

    // What the log has since the cursor; false when it may have more.
    private async Task<bool> QueueAsync(WebhookState seen)
    {
        if (seen.Waiting >= options.Value.MostWaiting)
        {
            return true;
        }

        var page = await log.ReadAsync(organization, seen.Cursor, PageSize);
        if (page.Missed > 0)
        {
            SessionsTelemetry.EventsMissed.Add(page.Missed);
            LogMissed(webhookId, page.Missed);
        }

        if (page.Next > seen.Cursor)
        {
            await deliveries.QueueAsync(seen, page.Next, [.. page.Events.Where(happened => seen.Record.Wants(happened.Type)).Select(happened => Queued(seen.Record, happened))]);
        }

        return page.Events.Count < PageSize;
    }

    private QueuedDelivery Queued(WebhookRecord webhook, StoredEvent happened) => new(
        happened.SandboxId.Length > 0 ? happened.SandboxId : NoSandbox,
        new Delivery
        {
            Id = Ids.New("dlv-"),
            WebhookId = webhook.Id,
            EventId = happened.Id,
            EventType = happened.Type,
            SandboxId = happened.SandboxId,
            Body = Payload.Of(happened),
            CreatedAt = clock.GetUtcNow(),
        });

    // Starts what is due, as far as there is room; answers how long there is nothing more to start.
    private async Task<TimeSpan> StartDueAsync(WebhookState seen, CancellationToken stopping)
    {
        foreach (var over in _running.Where(pair => pair.Value.IsCompleted).Select(pair => pair.Key).ToList())
        {
            _running.Remove(over);
        }

        // One whose receiver fails, or hangs, takes a single place from the others until it is well again.
        var most = seen.FailingSince is null ? options.Value.ConcurrencyPerWebhook : 1;
        foreach (var (subject, at) in await deliveries.DueAsync(seen.Record, most + 1))
        {
            var left = at - clock.GetUtcNow();
            if (left > TimeSpan.Zero || _running.Count >= most)
            {
                return left > TimeSpan.Zero ? left : Patience;
            }

            if (!_running.ContainsKey(subject))
            {
                _running[subject] = Task.Run(() => deliverer.TryFirstAsync(seen, subject, stopping), stopping);
            }
        }

        return Patience;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Count} events were kept no longer when webhook {WebhookId} came to them.")]
    private partial void LogMissed(string webhookId, long count);
}
