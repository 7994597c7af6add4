using System.Collections.Concurrent;
using Corral.Hosting;
using Corral.Sessions.Events;
using Corral.Sessions.Lifecycle;
using Microsoft.Extensions.Options;

namespace Corral.Sessions.Webhooks;

/// <summary>The couriers of this replica: one for each webhook whose lease it took from the due queue.</summary>
/// <remarks>Every enabled webhook has an entry in the due queue, which its courier keeps a lease ahead. Whatever becomes of a replica, another goes on.</remarks>
internal sealed partial class Couriers(
    WebhookStore webhooks, DeliveryStore deliveries, Deliverer deliverer, EventLog log, DueQueue due, ChangeFeed changes,
    IOptions<WebhookOptions> options, TimeProvider clock, IHostApplicationLifetime lifetime, ILogger<Courier> logger)
{
    private const string Prefix = "webhook:";

    private readonly ConcurrentDictionary<string, bool> _running = new(StringComparer.Ordinal);

    /// <summary>What stands for a webhook in the due queue.</summary>
    public static string Entry(string webhookId) => Prefix + webhookId;

    /// <summary>Whether an entry of the due queue is a webhook.</summary>
    public static bool IsWebhook(string entry) => entry.StartsWith(Prefix, StringComparison.Ordinal);

    /// <summary>Takes over a webhook's deliveries, in the background.</summary>
    public void Start(string organization, string entry)
    {
        if (_running.TryAdd(entry, true))
        {
            _ = Task.Run(() => RunAsync(organization, entry));
        }
    }

    private async Task RunAsync(string organization, string entry)
    {
        var stopping = lifetime.ApplicationStopping;
        try
        {
            await new Courier(organization, entry[Prefix.Length..], webhooks, deliveries, deliverer, log, due, changes, options, clock, logger).RunAsync(stopping);
        }
        catch (Exception) when (stopping.IsCancellationRequested)
        {
            await HandOverAsync(organization, entry);
        }
        catch (Exception exception)
        {
            LogFault(exception, entry);
        }
        finally
        {
            _running.TryRemove(entry, out _);
        }
    }

    // Another replica need not wait for the end of the lease.
    private async Task HandOverAsync(string organization, string entry)
    {
        try
        {
            await due.KeepAsync(organization, entry, TimeSpan.Zero);
        }
        catch (DependencyUnavailableException)
        {
            // Then it does.
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The courier of {Webhook} failed.")]
    private partial void LogFault(Exception exception, string webhook);
}
