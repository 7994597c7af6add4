using System.Text;
using Corral.Api.V1;
using Corral.Sessions.Webhooks;
using Google.Protobuf.WellKnownTypes;
using Attempt = Corral.Sessions.Webhooks.Attempt;
using Delivery = Corral.Sessions.Webhooks.Delivery;

namespace Corral.Sessions.Grpc;

/// <summary>Webhooks and deliveries as their organisation sees them.</summary>
internal static class WebhookMessages
{
    public static Webhook ToWebhook(this WebhookState state)
    {
        var record = state.Record;
        var webhook = new Webhook
        {
            WebhookId = record.Id,
            Url = record.Url,
            Description = record.Description,
            Enabled = record.Enabled,
            CreatedAt = record.CreatedAt.ToTimestamp(),
            UpdatedAt = record.UpdatedAt.ToTimestamp(),
            FailingSince = state.FailingSince?.ToTimestamp(),
        };
        webhook.EventTypes.AddRange(record.EventTypes);
        if (record.DisabledReason is { } reason)
        {
            webhook.DisabledReason = reason;
        }

        return webhook;
    }

    public static Webhook ToWebhook(this NewSecret made)
    {
        var webhook = made.Webhook.ToWebhook();
        webhook.SigningSecret = made.Secret;
        return webhook;
    }

    public static Api.V1.Delivery ToDelivery(this Delivery delivery, bool withPayload)
    {
        var message = new Api.V1.Delivery
        {
            DeliveryId = delivery.Id,
            WebhookId = delivery.WebhookId,
            EventId = delivery.EventId,
            EventType = delivery.EventType,
            Status = delivery.State switch
            {
                DeliveryState.Pending => DeliveryStatus.Pending,
                DeliveryState.Delivered => DeliveryStatus.Delivered,
                _ => DeliveryStatus.Failed,
            },
            CreatedAt = delivery.CreatedAt.ToTimestamp(),
            NextAttemptAt = delivery.NextAt?.ToTimestamp(),
        };
        message.Attempts.AddRange(delivery.Attempts.Select(ToAttempt));
        if (delivery.SandboxId.Length > 0)
        {
            message.SandboxId = delivery.SandboxId;
        }

        if (withPayload)
        {
            message.Payload = Encoding.UTF8.GetString(delivery.Body);
        }

        return message;
    }

    private static DeliveryAttempt ToAttempt(Attempt attempt)
    {
        var message = new DeliveryAttempt
        {
            At = DateTimeOffset.FromUnixTimeMilliseconds(attempt.At).ToTimestamp(),
            DurationMs = attempt.DurationMs,
            Answer = attempt.Answer,
        };
        if (attempt.Status is { } status)
        {
            message.StatusCode = status;
        }

        if (attempt.Error is { } error)
        {
            message.Error = error;
        }

        return message;
    }
}
