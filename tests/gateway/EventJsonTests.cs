using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Corral.Api.V1;
using Xunit;

namespace Corral.Gateway.Tests;

/// <summary>Events and webhooks as JSON callers see them.</summary>
public sealed class EventJsonTests(HostedGateway gateway)
{
    private const string Ready =
        "{\"id\":\"evt-a\",\"sequence\":8,\"type\":\"sandbox.ready\",\"sandboxId\":\"sbx-a\",\"createdAt\":1772078705353,\"data\":{\"id\":\"sbx-a\",\"status\":\"ready\","
        + "\"runtime\":\"bun\",\"size\":\"standard\",\"region\":\"iad\",\"createdAt\":1772078700000,\"startedAt\":1772078705353,\"endedAt\":null,\"duration\":null,"
        + "\"endReason\":null,\"failureReason\":null,\"url\":null}}";

    private const string Disabled =
        "{\"id\":\"evt-b\",\"sequence\":SEQUENCE,\"type\":\"webhook.disabled\",\"sandboxId\":null,\"createdAt\":1772078705354,\"data\":{\"id\":\"wh-a\",\"status\":null,"
        + "\"runtime\":null,\"size\":null,\"region\":null,\"createdAt\":null,\"startedAt\":null,\"endedAt\":null,\"duration\":null,\"endReason\":null,"
        + "\"failureReason\":\"Gone.\",\"url\":\"https://example.com/\"}}";

    [Fact]
    public async Task Events_AreListedWithACursor_AndWhatWasMissed()
    {
        var (status, text) = await SendAsync(HttpMethod.Get, "/v1/events?after=7");

        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal($"{{\"items\":[{Ready},{Disabled.Replace("SEQUENCE", "9", StringComparison.Ordinal)}],\"nextAfter\":9,\"missed\":3}}", text);
    }

    [Fact]
    public async Task Events_AreStreamedWithTheirNumbers_AndAGapIsToldAsOne()
    {
        var (_, text) = await SendAsync(HttpMethod.Get, "/v1/events", accept: "text/event-stream");

        Assert.Equal(
            $"event: event\nid: 8\ndata: {Ready}\n\nevent: gap\nid: 10\ndata: {{\"sequence\":10,\"missed\":2}}\n\n"
            + $"event: event\nid: 11\ndata: {Disabled.Replace("SEQUENCE", "11", StringComparison.Ordinal)}\n\n",
            text);
        Assert.Null(gateway.Events.WatchedAfter);
    }

    [Theory]
    [InlineData("/v1/events", "41", 41L)]
    [InlineData("/v1/events?after=7", "41", 41L)]
    [InlineData("/v1/events?after=7", null, 7L)]
    [InlineData("/v1/events?after=7", "x", 7L)]
    [InlineData("/v1/events?after=7", "-1", 7L)]
    public async Task AClientThatComesBack_GoesOnAfterWhatItSawLast(string path, string? lastEventId, long after)
    {
        await SendAsync(HttpMethod.Get, path, accept: "text/event-stream", lastEventId: lastEventId);

        Assert.Equal(after, gateway.Events.WatchedAfter);
    }

    [Theory]
    [InlineData("eventTypes")]
    [InlineData("event_types")]
    public async Task AWebhook_IsRegisteredInBothSpellings_AndAnsweredInOne(string spelling)
    {
        var (status, text) = await SendAsync(HttpMethod.Post, "/v1/webhooks", $"{{\"url\":\"https://example.com/\",\"{spelling}\":[\"sandbox.ready\"],\"description\":\"d\"}}");

        Assert.Equal(HttpStatusCode.Created, status);
        Assert.Equal(
            "{\"id\":\"wh-a\",\"url\":\"https://example.com/\",\"description\":\"d\",\"eventTypes\":[\"sandbox.ready\"],\"enabled\":true,\"signingSecret\":\"whsec_c2VjcmV0\","
            + "\"createdAt\":1772078705353,\"updatedAt\":1772078705353,\"failingSince\":null,\"disabledReason\":null}",
            text);
    }

    [Fact]
    public async Task TheSameField_IsNotTakenInBothSpellingsAtOnce()
    {
        var (status, text) = await SendAsync(HttpMethod.Post, "/v1/webhooks", "{\"eventTypes\":[],\"event_types\":[]}");

        Assert.Equal((HttpStatusCode.BadRequest, "{\"error\":\"event_types is given twice\"}"), (status, text));
    }

    [Fact]
    public async Task AWebhook_IsReadListedChangedAndDeleted()
    {
        var (_, one) = await SendAsync(HttpMethod.Get, "/v1/webhooks?id=wh-b");
        Assert.Equal("wh-b", (string)JsonNode.Parse(one)!["id"]!);

        var (_, all) = await SendAsync(HttpMethod.Get, "/v1/webhooks");
        Assert.Equal("wh-a", (string)JsonNode.Parse(all)!["items"]![0]!["id"]!);

        await SendAsync(HttpMethod.Patch, "/v1/webhooks", "{\"id\":\"wh-b\",\"enabled\":false}");
        Assert.Equal(new UpdateWebhookRequest { WebhookId = "wh-b", Enabled = false }, gateway.Webhooks.Asked);

        var (_, deleted) = await SendAsync(HttpMethod.Delete, "/v1/webhooks?id=wh-b");
        Assert.Equal(("{\"ok\":true}", new DeleteWebhookRequest { WebhookId = "wh-b" }), (deleted, gateway.Webhooks.Asked));
    }

    [Fact]
    public async Task Deliveries_AreToldWithTheirAttempts()
    {
        var (_, list) = await SendAsync(HttpMethod.Get, "/v1/webhooks/deliveries?id=wh-a&limit=5");
        Assert.Equal(new ListDeliveriesRequest { WebhookId = "wh-a", Limit = 5 }, gateway.Webhooks.Asked);
        Assert.Equal(
            "{\"id\":\"dlv-a\",\"webhookId\":\"wh-a\",\"eventId\":\"evt-a\",\"eventType\":\"sandbox.ready\",\"sandboxId\":\"sbx-a\",\"status\":\"pending\","
            + "\"createdAt\":1772078705353,\"nextAttemptAt\":1772078705353,\"attempts\":["
            + "{\"at\":1772078705353,\"durationMs\":12,\"statusCode\":500,\"answer\":\"no\",\"error\":\"status\"},"
            + "{\"at\":1772078705353,\"durationMs\":15000,\"statusCode\":null,\"answer\":\"\",\"error\":\"timeout\"}],\"payload\":null}",
            JsonNode.Parse(list)!["items"]![0]!.ToJsonString());

        await SendAsync(HttpMethod.Get, "/v1/webhooks/deliveries?deliveryId=dlv-a");
        Assert.Equal(new GetDeliveryRequest { DeliveryId = "dlv-a" }, gateway.Webhooks.Asked);
    }

    [Fact]
    public async Task AKeyThatMayOnlyReadSandboxes_SeesEvents_AndNoWebhooks()
    {
        Assert.Equal(HttpStatusCode.OK, (await SendAsync(HttpMethod.Get, "/v1/events", key: FakeSessions.ReadKey)).Status);
        Assert.Equal(HttpStatusCode.Forbidden, (await SendAsync(HttpMethod.Get, "/v1/webhooks", key: FakeSessions.ReadKey)).Status);
        Assert.Equal(HttpStatusCode.Forbidden, (await SendAsync(HttpMethod.Post, "/v1/webhooks", "{}", FakeSessions.ReadKey)).Status);
    }

    private async Task<(HttpStatusCode Status, string Text)> SendAsync(
        HttpMethod method, string path, string? body = null, string key = FakeSessions.Key, string? accept = null, string? lastEventId = null)
    {
        using var request = new HttpRequestMessage(method, path);
        request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + key);
        if (accept is not null)
        {
            request.Headers.TryAddWithoutValidation("Accept", accept);
        }

        if (lastEventId is not null)
        {
            request.Headers.TryAddWithoutValidation("Last-Event-ID", lastEventId);
        }

        if (body is not null)
        {
            request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        }

        using var response = await gateway.Client.SendAsync(request);
        return (response.StatusCode, await response.Content.ReadAsStringAsync());
    }
}
