using System.Net;
using Corral.Tests.Instance;
using Corral.Tests.Support;
using Xunit;

namespace Corral.Fault.Tests;

/// <summary>Events and webhooks, when those who carry them die.</summary>
public sealed class WebhookTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    [Fact]
    public async Task SessionsAndRedisKilledUnderLoad_LoseNoEventOfASandboxThatWasAcknowledged_AndNoDelivery()
    {
        await using var instance = await Instance.StartAsync("webhooks", HookReceiver.Settings);
        using var receiver = new HookReceiver();
        var webhook = await instance.Boxes.PostAsync("/v1/webhooks", new() { ["url"] = receiver.Url });
        var lives = Enumerable.Range(0, 4).Select(_ => LivesAsync(instance)).ToList();

        await Eventually.Async("the first events have arrived", Patience, () => Task.FromResult(receiver.Calls.Count >= 3));
        await instance.KillAsync("sessions");
        await Eventually.Async("sessions carries on", Patience, async () => (await TryAsync(() => instance.Boxes.GetAsync("/v1/events")))?.Status == HttpStatusCode.OK);
        await instance.KillAsync("redis");
        var ids = (await Task.WhenAll(lives)).SelectMany(some => some).ToList();

        Assert.NotEmpty(ids);
        foreach (var id in ids)
        {
            await Eventually.Async($"{id} has ended and all of it has arrived", Patience, async () =>
            {
                var told = await ToldAsync(instance, id);
                return told is [.., { Type: "sandbox.ended" or "sandbox.failed" }] && receiver.Of(id).Count == told.Count;
            });
            Assert.Equal(await ToldAsync(instance, id), receiver.Of(id).Select(call => (call.Id, call.Type)));
            Assert.Equal("sandbox.created", receiver.Of(id)[0].Type);
            Assert.All(receiver.Of(id), call => Assert.True(call.IsSigned((string)webhook.Body!["signingSecret"]!), call.Signature));
        }
    }

    // Sandboxes whose creation was acknowledged, made and ended one after the other while things die.
    private static async Task<IReadOnlyList<string>> LivesAsync(Instance instance)
    {
        var made = new List<string>();
        for (var i = 0; i < 5; i++)
        {
            var created = await TryAsync(() => instance.Boxes.PostAsync("/v1/sandboxes", new() { ["runtime"] = "base", ["isolation"] = "runc" }));
            if (created?.Status == HttpStatusCode.Created)
            {
                var id = (string)created.Body!["id"]!;
                made.Add(id);
                await Eventually.Async($"the end of {id} is acknowledged", Patience, async () => (await TryAsync(() => instance.Boxes.EndAsync(id)))?.Status == HttpStatusCode.OK);
            }
        }

        return made;
    }

    private static async Task<IReadOnlyList<(string Id, string Type)>> ToldAsync(Instance instance, string id)
    {
        var answer = await TryAsync(() => instance.Boxes.GetAsync($"/v1/events?id={id}"));
        return answer?.Status == HttpStatusCode.OK ? [.. answer.Body!["items"]!.AsArray().Select(e => ((string)e!["id"]!, (string)e["type"]!))] : [];
    }

    private static async Task<Answer?> TryAsync(Func<Task<Answer>> call)
    {
        try
        {
            return await call();
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }
}
