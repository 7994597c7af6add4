using Corral.Hosting;
using Microsoft.Extensions.Options;

namespace Corral.Sessions.Webhooks;

/// <summary>Tries deliveries, not too many at once in this replica, and writes down what came of each.</summary>
internal sealed partial class Deliverer(
    DeliveryStore deliveries, Sender sender, WebhookRegistry registry, IOptions<WebhookOptions> options, TimeProvider clock, ILogger<Deliverer> log) : IDisposable
{
    private const int GoneStatus = 410;
    private static readonly TimeSpan Again = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan AfterFault = TimeSpan.FromSeconds(2);

    private readonly SemaphoreSlim _room = new(options.Value.Concurrency);

    /// <summary>Tries the first delivery of a subject. Never throws: what could not be done is still due.</summary>
    public async Task TryFirstAsync(WebhookState seen, string subject, CancellationToken stopping)
    {
        try
        {
            var id = await deliveries.FirstAsync(seen.Record, subject);
            if (id is null || await deliveries.FindAsync(seen.Record.Organization, id) is not { } delivery)
            {
                await deliveries.SkipAsync(seen.Record, subject, id);
                return;
            }

            await _room.WaitAsync(stopping);
            SessionsTelemetry.DeliveriesUnderWay.Add(1);
            try
            {
                var attempt = await sender.SendAsync(seen.Record, delivery.EventId, delivery.Body, stopping);
                await SettleAsync(seen, subject, delivery, attempt, stopping);
            }
            finally
            {
                SessionsTelemetry.DeliveriesUnderWay.Add(-1);
                _room.Release();
            }
        }
        catch (Exception) when (stopping.IsCancellationRequested)
        {
            // It is tried again by whoever has the webhook next.
        }
        catch (DependencyUnavailableException)
        {
            // It is still due.
            await Task.Delay(Again, clock, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        catch (Exception exception)
        {
            LogFault(exception, seen.Record.Id);
            await Task.Delay(AfterFault, clock, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    public void Dispose() => _room.Dispose();

    private async Task SettleAsync(WebhookState seen, string subject, Delivery delivery, Attempt attempt, CancellationToken stopping)
    {
        var now = clock.GetUtcNow();
        var first = delivery.Attempts is [var earliest, ..] ? DateTimeOffset.FromUnixTimeMilliseconds(earliest.At) : now;
        var pause = RetrySchedule.Next(delivery.Attempts.Count + 1, now - first, Random.Shared.NextDouble(), options.Value);
        var state = attempt.Error is null ? DeliveryState.Delivered
            : pause is null || attempt.Status == GoneStatus ? DeliveryState.Failed
            : DeliveryState.Pending;
        SessionsTelemetry.Deliveries.Add(1, new KeyValuePair<string, object?>("outcome", state.ToString()));
        SessionsTelemetry.DeliveryTime.Record(attempt.DurationMs / 1000.0);
        if (state != DeliveryState.Pending)
        {
            SessionsTelemetry.DeliveryAge.Record((now - delivery.CreatedAt).TotalSeconds);
        }

        var failingSince = await WriteAsync(() => deliveries.SettleAsync(seen, subject, delivery, attempt, state, now + pause), stopping);
        if (attempt.Status == GoneStatus)
        {
            await registry.DisableAsync(seen.Record, "Its receiver answered 410 Gone.");
        }
        else if (now - failingSince >= options.Value.DisabledAfter)
        {
            await registry.DisableAsync(seen.Record, $"Every attempt has failed since {failingSince:yyyy-MM-dd HH:mm} UTC.");
        }
    }

    // What was sent is not sent again for want of a note of it, if that can be helped.
    private async Task<T> WriteAsync<T>(Func<Task<T>> write, CancellationToken stopping)
    {
        while (true)
        {
            try
            {
                return await write();
            }
            catch (DependencyUnavailableException)
            {
                await Task.Delay(Again, clock, stopping);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "An attempt at webhook {WebhookId} could not be made.")]
    private partial void LogFault(Exception exception, string webhookId);
}
