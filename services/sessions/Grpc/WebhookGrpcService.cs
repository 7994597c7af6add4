using Corral.Api.V1;
using Corral.Hosting;
using Corral.Sessions.Webhooks;
using Grpc.Core;
using Delivery = Corral.Sessions.Webhooks.Delivery;

namespace Corral.Sessions.Grpc;

internal sealed class WebhookGrpcService(WebhookRegistry registry, WebhookStore store, DeliveryStore deliveries, OnDemand onDemand) : WebhookService.WebhookServiceBase
{
    private const long DefaultOverlapMs = 24 * 3_600_000L;
    private const long MaxOverlapMs = 7 * DefaultOverlapMs;
    private const int DefaultLimit = 50;
    private const int MaxLimit = 100;

    public override async Task<CreateWebhookResponse> CreateWebhook(CreateWebhookRequest request, ServerCallContext context) =>
        new() { Webhook = (await registry.AddAsync(OrganizationOf(context), request.Url, request.EventTypes, request.Description, context.CancellationToken)).ToWebhook() };

    public override async Task<GetWebhookResponse> GetWebhook(GetWebhookRequest request, ServerCallContext context) =>
        new() { Webhook = (await registry.FindAsync(OrganizationOf(context), request.WebhookId)).ToWebhook() };

    public override async Task<ListWebhooksResponse> ListWebhooks(ListWebhooksRequest request, ServerCallContext context)
    {
        var response = new ListWebhooksResponse();
        response.Items.AddRange((await store.ListAsync(OrganizationOf(context))).Select(WebhookMessages.ToWebhook));
        return response;
    }

    public override async Task<UpdateWebhookResponse> UpdateWebhook(UpdateWebhookRequest request, ServerCallContext context)
    {
        var changed = await registry.ChangeAsync(
            OrganizationOf(context), request.WebhookId, request.HasUrl ? request.Url : null, request.EventTypes,
            request.HasDescription ? request.Description : null, request.HasEnabled ? request.Enabled : null, context.CancellationToken);
        return new UpdateWebhookResponse { Webhook = changed.ToWebhook() };
    }

    public override async Task<RotateWebhookSecretResponse> RotateWebhookSecret(RotateWebhookSecretRequest request, ServerCallContext context)
    {
        var overlap = request.HasOverlapMs ? request.OverlapMs : DefaultOverlapMs;
        return overlap is >= 0 and <= MaxOverlapMs
            ? new RotateWebhookSecretResponse { Webhook = (await registry.RotateAsync(OrganizationOf(context), request.WebhookId, TimeSpan.FromMilliseconds(overlap))).ToWebhook() }
            : throw RpcErrors.InvalidArgument("overlap_ms", $"must be 0 to {MaxOverlapMs}");
    }

    public override async Task<DeleteWebhookResponse> DeleteWebhook(DeleteWebhookRequest request, ServerCallContext context)
    {
        await registry.RemoveAsync(OrganizationOf(context), request.WebhookId);
        return new DeleteWebhookResponse();
    }

    public override async Task<TestWebhookResponse> TestWebhook(TestWebhookRequest request, ServerCallContext context) =>
        new() { Delivery = (await onDemand.TestAsync(OrganizationOf(context), request.WebhookId, context.CancellationToken)).ToDelivery(withPayload: true) };

    public override async Task<ListDeliveriesResponse> ListDeliveries(ListDeliveriesRequest request, ServerCallContext context)
    {
        var limit = request.HasLimit ? request.Limit : DefaultLimit;
        if (limit is < 1 or > MaxLimit)
        {
            throw RpcErrors.InvalidArgument("limit", $"must be 1 to {MaxLimit}");
        }

        var organization = OrganizationOf(context);
        var webhook = (await registry.FindAsync(organization, request.WebhookId)).Record;
        var ids = await deliveries.ListAsync(webhook, request.Cursor, limit) ?? throw RpcErrors.InvalidArgument("cursor", "is not one that was answered");
        var found = await Task.WhenAll(ids.Select(id => deliveries.FindAsync(organization, id)));
        var response = new ListDeliveriesResponse();
        response.Items.AddRange(found.OfType<Delivery>().Select(delivery => delivery.ToDelivery(withPayload: false)));
        if (ids.Count == limit)
        {
            response.NextCursor = ids[^1];
        }

        return response;
    }

    public override async Task<GetDeliveryResponse> GetDelivery(GetDeliveryRequest request, ServerCallContext context) =>
        new() { Delivery = (await onDemand.FindAsync(OrganizationOf(context), request.DeliveryId)).ToDelivery(withPayload: true) };

    public override async Task<RedeliverResponse> Redeliver(RedeliverRequest request, ServerCallContext context) =>
        new() { Delivery = (await onDemand.AgainAsync(OrganizationOf(context), request.DeliveryId)).ToDelivery(withPayload: true) };

    private static string OrganizationOf(ServerCallContext context) => CallerIdentity.From(context).OrganizationId;
}
