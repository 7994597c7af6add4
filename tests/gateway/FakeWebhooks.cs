using Corral.Api.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Corral.Gateway.Tests;

/// <summary>Sessions' webhooks, as the gateway asks for them.</summary>
internal sealed class FakeWebhooks : WebhookService.WebhookServiceBase
{
    private static readonly Timestamp Time = DateTimeOffset.FromUnixTimeMilliseconds(1_772_078_705_353).ToTimestamp();

    /// <summary>The last request that arrived.</summary>
    public IMessage? Asked { get; private set; }

    public override Task<CreateWebhookResponse> CreateWebhook(CreateWebhookRequest request, ServerCallContext context)
    {
        Asked = request;
        var webhook = new Webhook { WebhookId = "wh-a", Url = request.Url, Description = request.Description, EventTypes = { request.EventTypes }, Enabled = true, SigningSecret = "whsec_c2VjcmV0", CreatedAt = Time, UpdatedAt = Time };
        return Task.FromResult(new CreateWebhookResponse { Webhook = webhook });
    }

    public override Task<GetWebhookResponse> GetWebhook(GetWebhookRequest request, ServerCallContext context)
    {
        Asked = request;
        return Task.FromResult(new GetWebhookResponse { Webhook = new Webhook { WebhookId = request.WebhookId } });
    }

    public override Task<ListWebhooksResponse> ListWebhooks(ListWebhooksRequest request, ServerCallContext context) =>
        Task.FromResult(new ListWebhooksResponse { Items = { new Webhook { WebhookId = "wh-a" } } });

    public override Task<UpdateWebhookResponse> UpdateWebhook(UpdateWebhookRequest request, ServerCallContext context)
    {
        Asked = request;
        return Task.FromResult(new UpdateWebhookResponse { Webhook = new Webhook { WebhookId = request.WebhookId } });
    }

    public override Task<DeleteWebhookResponse> DeleteWebhook(DeleteWebhookRequest request, ServerCallContext context)
    {
        Asked = request;
        return Task.FromResult(new DeleteWebhookResponse());
    }

    public override Task<ListDeliveriesResponse> ListDeliveries(ListDeliveriesRequest request, ServerCallContext context)
    {
        Asked = request;
        return Task.FromResult(new ListDeliveriesResponse { Items = { Delivery() } });
    }

    public override Task<GetDeliveryResponse> GetDelivery(GetDeliveryRequest request, ServerCallContext context)
    {
        Asked = request;
        return Task.FromResult(new GetDeliveryResponse { Delivery = Delivery() });
    }

    private static Delivery Delivery() => new()
    {
        DeliveryId = "dlv-a",
        WebhookId = "wh-a",
        EventId = "evt-a",
        EventType = "sandbox.ready",
        SandboxId = "sbx-a",
        Status = DeliveryStatus.Pending,
        CreatedAt = Time,
        NextAttemptAt = Time,
        Attempts = { new DeliveryAttempt { At = Time, DurationMs = 12, StatusCode = 500, Answer = "no", Error = "status" }, new DeliveryAttempt { At = Time, DurationMs = 15_000, Error = "timeout" } },
    };
}
