using System.Net;
using System.Text.Json.Nodes;
using Corral.Api.V1;
using Corral.Tests.Instance;
using Corral.Tests.Support;
using Grpc.Core;
using Xunit;

namespace Corral.EndToEnd.Tests;

/// <summary>What happens to a sandbox is told, by asking, by streams and by webhooks.</summary>
public sealed class EventTests(SharedInstance shared)
{
    private static readonly string[] Life = ["sandbox.created", "sandbox.assigned", "sandbox.ready", "sandbox.ending", "sandbox.ended"];

    [Fact]
    public async Task ASandboxesLife_IsListedInOrder_AndStreamedFromWhereAClientWas()
    {
        var id = await LiveAsync();

        var items = (await shared.Boxes.GetAsync($"/v1/events?id={id}")).Body!["items"]!.AsArray();
        Assert.Equal(Life, items.Select(e => (string)e!["type"]!));
        Assert.Equal("client", (string)items[4]!["data"]!["endReason"]!);

        var streamed = await StreamAsync(id, lastEventId: (long)items[1]!["sequence"]!, count: 3);
        Assert.Equal(Life[2..], streamed.Select(e => (string)e["type"]!));
        Assert.Equal(HttpStatusCode.NotFound, (await shared.Boxes.GetAsync("/v1/events?id=sbx-abcdefghijklmnopqrstuvwxyz")).Status);
    }

    [Fact]
    public async Task ANativeWatcher_SeesWhatHappensFromNowOn()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        var last = (await shared.Boxes.GetAsync("/v1/events?limit=1000")).Body!["nextAfter"]!;
        using var watch = new EventService.EventServiceClient(shared.Instance.Channel).WatchEvents(
            new WatchEventsRequest { After = (long)last }, shared.Instance.Credentials, cancellationToken: patience.Token);

        var id = await LiveAsync();

        var seen = new List<string>();
        while (seen.Count < Life.Length && await watch.ResponseStream.MoveNext(patience.Token))
        {
            if (watch.ResponseStream.Current.Event is { } happened && happened.SandboxId == id)
            {
                seen.Add(happened.Type);
            }
        }

        Assert.Equal(Life, seen);
    }

    [Fact]
    public async Task AWebhook_IsToldASandboxesLife_Signed_AndItsDeliveriesAreOnRecord()
    {
        using var receiver = new HookReceiver();
        var webhook = (await shared.Boxes.PostAsync("/v1/webhooks", new() { ["url"] = receiver.Url, ["event_types"] = new JsonArray() })).Body!;
        var secret = (string)webhook["signingSecret"]!;

        var id = await LiveAsync();
        await Eventually.Async("the sandbox's end has arrived", () => receiver.Of(id).Count >= Life.Length);
        var deliveries = (await shared.Boxes.GetAsync($"/v1/webhooks/deliveries?id={webhook["id"]}")).Body!["items"]!.AsArray();
        var deleted = await shared.Boxes.DeleteAsync($"/v1/webhooks?id={webhook["id"]}");

        Assert.Equal(Life, receiver.Of(id).Select(call => call.Type));
        Assert.All(receiver.Of(id), call => Assert.True(call.IsSigned(secret), call.Signature));
        Assert.Contains(deliveries, d => (string?)d!["sandboxId"] == id && (string)d["status"]! == "delivered" && (int)d["attempts"]![0]!["statusCode"]! == 200);
        Assert.Equal("{\"ok\":true}", deleted.Text);
    }

    [Fact]
    public async Task AWebhookToTheHostsMetadata_IsRefused()
    {
        var refused = await shared.Boxes.PostAsync("/v1/webhooks", new() { ["url"] = "http://169.254.169.254/latest" });

        Assert.Equal((HttpStatusCode.BadRequest, "Invalid url: its host must have public addresses only"), (refused.Status, refused.Error));
    }

    private async Task<string> LiveAsync()
    {
        var id = await shared.Boxes.ReadyAsync(new() { ["runtime"] = "base", ["isolation"] = "runc" });
        await shared.Boxes.EndAsync(id);
        await shared.Boxes.UntilAsync(id, "ended");
        return id;
    }

    private async Task<IReadOnlyList<JsonNode>> StreamAsync(string id, long lastEventId, int count)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/v1/events?id={id}&after=0");
        request.Headers.TryAddWithoutValidation("Accept", "text/event-stream");
        request.Headers.TryAddWithoutValidation("Last-Event-ID", lastEventId.ToString(System.Globalization.CultureInfo.InvariantCulture));
        using var response = await shared.Boxes.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, patience.Token);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(patience.Token));
        var events = new List<JsonNode>();
        while (events.Count < count && await reader.ReadLineAsync(patience.Token) is { } line)
        {
            if (line.StartsWith("data: ", StringComparison.Ordinal))
            {
                events.Add(JsonNode.Parse(line["data: ".Length..])!);
            }
        }

        return events;
    }
}
