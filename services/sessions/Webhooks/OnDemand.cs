using Corral.Hosting;
using Corral.Sessions.Events;

namespace Corral.Sessions.Webhooks;

/// <summary>Sends what is asked for: a test event, or what was sent before.</summary>
internal sealed class OnDemand(WebhookRegistry webhooks, DeliveryStore deliveries, Sender sender, TimeProvider clock)
{
    /// <summary>Sends an event "webhook.test" at once, once, whether the webhook is enabled or not.</summary>
    public async Task<Delivery> TestAsync(string organization, string webhookId, CancellationToken cancellationToken)
    {
        var webhook = (await webhooks.FindAsync(organization, webhookId)).Record;
        var facts = new EventFacts { Id = webhook.Id, Url = webhook.Url };
        var happened = new StoredEvent(0, Ids.New("evt-"), EventTypes.WebhookTest, "", clock.GetUtcNow(), facts.ToJson());
        var delivery = New(webhook, happened.Id, happened.Type, "", Payload.Of(happened));
        var attempt = await sender.SendAsync(webhook, delivery.EventId, delivery.Body, cancellationToken);
        await deliveries.AddAsync(webhook, delivery, attempt);
        return await FindAsync(organization, delivery.Id);
    }

    /// <summary>Queues a delivery's event again. It waits for no other.</summary>
    public async Task<Delivery> AgainAsync(string organization, string deliveryId)
    {
        var before = await FindAsync(organization, deliveryId);
        var webhook = (await webhooks.FindAsync(organization, before.WebhookId)).Record;
        if (!webhook.Enabled)
        {
            throw RpcErrors.FailedPrecondition("WEBHOOK_DISABLED", "The webhook is disabled");
        }

        var delivery = New(webhook, before.EventId, before.EventType, before.SandboxId, before.Body);
        return await deliveries.QueueAsync(webhook, new QueuedDelivery(delivery.Id, delivery))
            ? await FindAsync(organization, delivery.Id)
            : throw RpcErrors.NotFound("WEBHOOK_NOT_FOUND", "Webhook not found");
    }

    /// <summary>A delivery of a webhook that is still there.</summary>
    public async Task<Delivery> FindAsync(string organization, string deliveryId) =>
        (Ids.IsValid(deliveryId, "dlv-") ? await deliveries.FindAsync(organization, deliveryId) : null)
        ?? throw RpcErrors.NotFound("DELIVERY_NOT_FOUND", "Delivery not found");

    private Delivery New(WebhookRecord webhook, string eventId, string eventType, string sandboxId, byte[] body) => new()
    {
        Id = Ids.New("dlv-"),
        WebhookId = webhook.Id,
        EventId = eventId,
        EventType = eventType,
        SandboxId = sandboxId,
        Body = body,
        CreatedAt = clock.GetUtcNow(),
    };
}
