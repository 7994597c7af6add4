using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Corral.Hosting;
using Corral.Sessions.Events;
using Corral.Sessions.Lifecycle;
using Corral.Sessions.Webhooks;
using Corral.Tests.Support;
using Grpc.Core;
using Xunit;

namespace Corral.Sessions.Tests;

/// <summary>Webhooks: signed, at least once, in order for each sandbox, whatever dies meanwhile.</summary>
public sealed class WebhookTests : SessionsTest
{
    // Longer than any pause of a retry that these tests come to.
    private static readonly TimeSpan Later = TimeSpan.FromHours(7);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task AnEvent_IsSent_SignedAsTheSpecificationSays()
    {
        await using var receiver = await Receiver.StartAsync();
        var made = await AddAsync(receiver.Url);
        await One.WorkAsync();

        await AppendAsync("sbx-a", EventTypes.SandboxReady);
        var sent = await FirstAsync(receiver);

        Assert.Matches("^whsec_[A-Za-z0-9+/]{43}=$", made.Secret);
        Assert.Equal($"v1,{Signature(made.Secret, sent)}", sent.Signature);
        Assert.Equal(Clock.Now.ToUnixTimeSeconds(), long.Parse(sent.Timestamp, System.Globalization.CultureInfo.InvariantCulture));
        var body = JsonNode.Parse(sent.Body)!;
        var told = (await One.Events.ReadAsync("org", 0, 1)).Events[0];
        Assert.Equal((told.Id, told.Id, "sandbox.ready", "sbx-a", 1), (sent.Id, (string)body["id"]!, (string)body["type"]!, (string)body["sandboxId"]!, (int)body["sequence"]!));
        Assert.Equal(Clock.Now.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", System.Globalization.CultureInfo.InvariantCulture), (string)body["timestamp"]!);
        Assert.Equal("sbx-a", (string)body["data"]!["id"]!);
        Assert.True(body["data"]!.AsObject().ContainsKey("endReason"));
    }

    [Fact]
    public async Task ASandboxesLife_ArrivesInOrder()
    {
        await using var receiver = await Receiver.StartAsync();
        await AddAsync(receiver.Url);
        await One.WorkAsync();

        var created = await One.CreateAsync();
        await One.UntilAsync(created.Id, Api.V1.SandboxState.Ready);
        await One.Ender.EndAsync("org", created.Id, "client");

        await UntilAsync("the end has arrived", () => receiver.TypesOf(created.Id).Contains("sandbox.ended"));
        Assert.Equal(["sandbox.created", "sandbox.assigned", "sandbox.ready", "sandbox.ending", "sandbox.ended"], receiver.TypesOf(created.Id));
    }

    [Fact]
    public async Task AWebhook_GetsTheTypesThatItIsRegisteredFor_FromItsRegistrationOn()
    {
        await using var receiver = await Receiver.StartAsync();
        await AppendAsync("sbx-a", EventTypes.SandboxReady);
        await AddAsync(receiver.Url, EventTypes.SandboxReady, EventTypes.SandboxFailed);
        await One.WorkAsync();

        await AppendAsync("sbx-b", EventTypes.SandboxEnding);
        await AppendAsync("sbx-b", EventTypes.SandboxReady);
        await AppendAsync("sbx-c", EventTypes.SandboxFailed);

        await UntilAsync("both have arrived", () => receiver.Taken.Count >= 2);
        Assert.Equal([("sbx-b", "sandbox.ready"), ("sbx-c", "sandbox.failed")], receiver.Taken.Select(r => (r.Sandbox!, r.Type)).Order());
    }

    [Fact]
    public async Task WhatIsNotTaken_IsTriedAgainLater_AndEachAttemptIsOnRecord()
    {
        await using var receiver = await Receiver.StartAsync();
        var answers = new Queue<HttpStatusCode>([HttpStatusCode.InternalServerError, HttpStatusCode.Found, HttpStatusCode.NoContent]);
        receiver.Answer = _ => Task.FromResult(answers.Dequeue());
        var webhook = (await AddAsync(receiver.Url)).Webhook.Record;
        await One.WorkAsync();

        await AppendAsync("sbx-a", EventTypes.SandboxReady);
        await UntilAsync("it was tried", () => receiver.Asked.Count == 1);
        var waiting = await DeliveryAsync(webhook, d => d.Attempts.Count == 1);
        Assert.InRange((waiting.NextAt - Clock.Now)!.Value.TotalSeconds, 9, 10.5);
        Clock.Now += TimeSpan.FromSeconds(11);
        await UntilAsync("it was tried again", () => receiver.Asked.Count == 2);
        var again = await DeliveryAsync(webhook, d => d.Attempts.Count == 2);
        Assert.InRange((again.NextAt - Clock.Now)!.Value.TotalSeconds, 36, 42);
        Clock.Now += TimeSpan.FromSeconds(43);
        var over = await DeliveryAsync(webhook, d => d.State == DeliveryState.Delivered);

        Assert.Equal([(500, "status"), (302, "redirect"), (204, null)], over.Attempts.Select(a => (a.Status!.Value, a.Error)));
        Assert.Equal(["thanks, InternalServerError", "thanks, Found", ""], over.Attempts.Select(a => a.Answer));
        Assert.Single(receiver.Asked.Select(r => r.Id).Distinct());
        Assert.Null((await One.WebhookStore.FindAsync("org", webhook.Id))!.FailingSince);
    }

    [Fact]
    public async Task ASandboxWhoseEventIsNotTaken_WaitsForIt_AndNoOtherDoes()
    {
        await using var receiver = await Receiver.StartAsync();
        var refusing = true;
        receiver.Answer = r => Task.FromResult(refusing && r.Sandbox == "sbx-a" ? HttpStatusCode.ServiceUnavailable : HttpStatusCode.OK);
        await AddAsync(receiver.Url);
        await One.WorkAsync();

        foreach (var type in new[] { EventTypes.SandboxCreated, EventTypes.SandboxReady, EventTypes.SandboxEnded })
        {
            await AppendAsync("sbx-a", type);
            await AppendAsync("sbx-b", type);
        }

        await UntilAsync("the other's have arrived", () => receiver.TypesOf("sbx-b").Count == 3);
        Assert.Empty(receiver.TypesOf("sbx-a"));
        refusing = false;
        Clock.Now += Later;

        await UntilAsync("its own have, too", () => receiver.TypesOf("sbx-a").Count == 3);
        Assert.Equal(["sandbox.created", "sandbox.ready", "sandbox.ended"], receiver.TypesOf("sbx-a"));
        Assert.Equal(["sandbox.created", "sandbox.ready", "sandbox.ended"], receiver.TypesOf("sbx-b"));
    }

    [Fact]
    public async Task WhatIsNeverTaken_IsGivenUpAfterItsLastAttempt_AndTheNextGoes()
    {
        var replica = NewReplica(options => options.Attempts = 3);
        await using var receiver = await Receiver.StartAsync();
        receiver.Answer = r => Task.FromResult(r.Type == EventTypes.SandboxCreated ? HttpStatusCode.BadRequest : HttpStatusCode.OK);
        var webhook = (await AddAsync(receiver.Url)).Webhook.Record;
        await replica.WorkAsync();
        await AppendAsync("sbx-a", EventTypes.SandboxCreated);
        await AppendAsync("sbx-a", EventTypes.SandboxReady);

        for (var attempt = 1; attempt <= 3; attempt++)
        {
            var number = attempt;
            await UntilAsync($"attempt {number} was made", () => receiver.Asked.Count(r => r.Type == EventTypes.SandboxCreated) == number);
            await DeliveryAsync(webhook, d => d.EventType == EventTypes.SandboxCreated && d.Attempts.Count == number);
            Clock.Now += TimeSpan.FromMinutes(3);
        }

        await UntilAsync("the next has arrived", () => receiver.TypesOf("sbx-a").Count == 1);
        var given = await DeliveryAsync(webhook, d => d.State == DeliveryState.Failed);
        Assert.Equal((EventTypes.SandboxCreated, 3), (given.EventType, given.Attempts.Count));
        Assert.Equal(["sandbox.ready"], receiver.TypesOf("sbx-a"));
    }

    [Fact]
    public async Task AWebhookThatFailsForLong_IsDisabled_AndAnEventSaysSo_AndItCanBeEnabledAgain()
    {
        await using var dead = await Receiver.StartAsync();
        await using var other = await Receiver.StartAsync();
        dead.Answer = _ => Task.FromResult(HttpStatusCode.BadGateway);
        var webhook = (await AddAsync(dead.Url)).Webhook.Record;
        await AddAsync(other.Url, EventTypes.WebhookDisabled);
        await One.WorkAsync();
        await AppendAsync("sbx-a", EventTypes.SandboxReady);
        await UntilAsync("it was tried", () => dead.Asked.Count == 1);
        await DeliveryAsync(webhook, d => d.Attempts.Count == 1);

        Clock.Now += TimeSpan.FromDays(3);
        await UntilAsync("the other is told", () => other.Taken.Count == 1);

        var disabled = (await One.WebhookStore.FindAsync("org", webhook.Id))!;
        Assert.False(disabled.Record.Enabled);
        Assert.StartsWith("Every attempt has failed since", disabled.Record.DisabledReason, StringComparison.Ordinal);
        var told = JsonNode.Parse(other.Taken[0].Body)!["data"]!;
        Assert.Equal((webhook.Id, dead.Url, disabled.Record.DisabledReason), ((string)told["id"]!, (string)told["url"]!, (string)told["failureReason"]!));

        var asked = dead.Asked.Count;
        await AppendAsync("sbx-b", EventTypes.SandboxReady);
        dead.Answer = _ => Task.FromResult(HttpStatusCode.OK);
        var enabled = await ChangeAsync(webhook.Id, enabled: true);
        Assert.Equal((true, null), (enabled.Record.Enabled, enabled.Record.DisabledReason));
        await AppendAsync("sbx-c", EventTypes.SandboxReady);
        await UntilAsync("what happens from then on arrives", () => dead.TypesOf("sbx-c").Count == 1);
        Assert.Empty(dead.TypesOf("sbx-b"));
        Assert.True(asked < 10);
    }

    [Fact]
    public async Task AReceiverThatSaysThatItIsGone_IsDisabledAtOnce()
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answer = _ => Task.FromResult(HttpStatusCode.Gone);
        var webhook = (await AddAsync(receiver.Url)).Webhook.Record;
        await One.WorkAsync();

        await AppendAsync("sbx-a", EventTypes.SandboxReady);

        await Eventually.Async("it is disabled", async () => !(await One.WebhookStore.FindAsync("org", webhook.Id))!.Record.Enabled);
        Assert.Single(receiver.Asked);
        await Eventually.Async("nothing of it is due", async () => (await One.Due.AllAsync()).Count == 0);
    }

    [Fact]
    public async Task WhatTheOldAddressAnswers_DisablesNoWebhookThatLeadsElsewhereByNow()
    {
        await using var old = await Receiver.StartAsync();
        await using var repaired = await Receiver.StartAsync();
        var late = new TaskCompletionSource<HttpStatusCode>(TaskCreationOptions.RunContinuationsAsynchronously);
        old.Answer = _ => late.Task;
        var webhook = (await AddAsync(old.Url)).Webhook.Record;
        await One.WorkAsync();
        await AppendAsync("sbx-a", EventTypes.SandboxReady);
        await UntilAsync("the old one is asked", () => old.Asked.Count == 1);

        await One.Webhooks.ChangeAsync("org", webhook.Id, repaired.Url, [], null, null, Token);
        late.SetResult(HttpStatusCode.Gone);
        await AppendAsync("sbx-b", EventTypes.SandboxReady);
        await UntilAsync("the new one is told", () => repaired.Taken.Count == 1);

        await Eventually.Async("what the old one answered is written down", async () =>
            (await Task.WhenAll((await One.Deliveries.ListAsync(webhook, "", 10))!.Select(id => One.Deliveries.FindAsync("org", id)))).Any(d => d!.State == DeliveryState.Failed));
        Assert.True((await One.WebhookStore.FindAsync("org", webhook.Id))!.Record.Enabled);
    }

    [Fact]
    public async Task AReceiverThatDoesNotAnswer_DelaysNoOther()
    {
        await using var slow = await Receiver.StartAsync();
        await using var quick = await Receiver.StartAsync();
        var never = new TaskCompletionSource<HttpStatusCode>(TaskCreationOptions.RunContinuationsAsynchronously);
        slow.Answer = _ => never.Task;
        await AddAsync(slow.Url);
        await AddAsync(quick.Url);
        await One.WorkAsync();

        await Task.WhenAll(Enumerable.Range(0, 100).Select(i => AppendAsync($"sbx-{i}", EventTypes.SandboxReady)));
        await UntilAsync("all have arrived at the quick one", () => quick.Taken.Count == 100);

        Assert.InRange(slow.Asked.Count, 1, One.WebhookOptions.ConcurrencyPerWebhook);
        never.SetResult(HttpStatusCode.OK);
    }

    [Fact]
    public async Task AReplicaThatDies_IsFollowedByOneThatDeliversTheRest_InOrder()
    {
        await using var receiver = await Receiver.StartAsync();
        var killed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        receiver.Answer = async r =>
        {
            if (receiver.Asked.Count >= 30)
            {
                // What the dying replica has under way stays without an answer.
                await killed.Task;
            }

            return HttpStatusCode.OK;
        };
        await AddAsync(receiver.Url);
        await One.WorkAsync();
        await FloodAsync();
        await UntilAsync("some are under way", () => receiver.Asked.Count >= 30);

        await One.KillAsync();
        killed.SetResult();
        receiver.Answer = _ => Task.FromResult(HttpStatusCode.OK);
        Clock.Now += DueQueue.Lease;
        await NewReplica().WorkAsync();

        await AllArrivedInOrderAsync(receiver);
    }

    [Fact]
    public async Task RedisKilledAndRestarted_LosesNoDelivery()
    {
        await using var receiver = await Receiver.StartAsync();
        var webhook = (await AddAsync(receiver.Url)).Webhook.Record;
        await FloodAsync();
        await One.WorkAsync();
        await UntilAsync("some have arrived", () => receiver.Taken.Count >= 20);

        Server.Kill();
        await Server.RestartAsync();

        await AllArrivedInOrderAsync(receiver);
        await Eventually.Async("nothing waits any more", async () => (await One.WebhookStore.FindAsync("org", webhook.Id))!.Waiting == 0);
        Assert.Empty(await One.Deliveries.DueAsync(webhook, 10));
    }

    [Fact]
    public async Task WhoLostAWebhookToAnother_WritesNothingMore()
    {
        await using var receiver = await Receiver.StartAsync();
        var webhook = (await AddAsync(receiver.Url)).Webhook.Record;
        await AppendAsync("sbx-a", EventTypes.SandboxReady);
        await One.WebhookStore.ClaimAsync("org", webhook.Id, "one");
        var seen = (await One.WebhookStore.FindAsync("org", webhook.Id))!;
        await One.WebhookStore.ClaimAsync("org", webhook.Id, "two");

        Assert.False(await One.Deliveries.QueueAsync(seen, 1, []));
        Assert.Equal(0, (await One.WebhookStore.FindAsync("org", webhook.Id))!.Cursor);
    }

    [Fact]
    public async Task AfterARotation_BothSecretsSignForAWhile_AndThenTheNewOneAlone()
    {
        await using var receiver = await Receiver.StartAsync();
        var made = await AddAsync(receiver.Url);
        await One.WorkAsync();
        var rotated = await One.Webhooks.RotateAsync("org", made.Webhook.Record.Id, TimeSpan.FromHours(1));

        await AppendAsync("sbx-a", EventTypes.SandboxReady);
        var both = await FirstAsync(receiver);
        Clock.Now += TimeSpan.FromHours(1);
        await AppendAsync("sbx-b", EventTypes.SandboxReady);
        await UntilAsync("the second has arrived", () => receiver.Taken.Count == 2);
        var alone = receiver.Taken[1];

        Assert.Equal($"v1,{Signature(rotated.Secret, both)} v1,{Signature(made.Secret, both)}", both.Signature);
        Assert.Equal($"v1,{Signature(rotated.Secret, alone)}", alone.Signature);
    }

    [Fact]
    public async Task ASecret_IsNowhereInRedis()
    {
        await using var receiver = await Receiver.StartAsync();
        var made = await AddAsync(receiver.Url);
        await One.OnDemand.TestAsync("org", made.Webhook.Record.Id, Token);

        var written = await AllOfRedisAsync();

        Assert.Contains(made.Webhook.Record.Id, written, StringComparison.Ordinal);
        Assert.DoesNotContain(made.Secret["whsec_".Length..], written, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ATest_IsSentOnce_AndAnsweredWithWhatCameOfIt()
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answer = _ => Task.FromResult(HttpStatusCode.Forbidden);
        var webhook = (await AddAsync(receiver.Url, EventTypes.SandboxFailed)).Webhook.Record;

        var delivery = await One.OnDemand.TestAsync("org", webhook.Id, Token);

        Assert.Equal((DeliveryState.Failed, "webhook.test"), (delivery.State, delivery.EventType));
        Assert.Equal((403, "status", "thanks, Forbidden"), (delivery.Attempts.Single().Status, delivery.Attempts[0].Error, delivery.Attempts[0].Answer));
        Assert.Equal("webhook.test", receiver.Asked.Single().Type);
        Assert.Equal([delivery.Id], await One.Deliveries.ListAsync(webhook, "", 10));
        Assert.Equal(0, (await One.WebhookStore.FindAsync("org", webhook.Id))!.Waiting);
    }

    [Fact]
    public async Task WhatIsAskedForAgain_IsSentAgain_AsTheSameEvent()
    {
        await using var receiver = await Receiver.StartAsync();
        var webhook = (await AddAsync(receiver.Url)).Webhook.Record;
        await One.WorkAsync();
        await AppendAsync("sbx-a", EventTypes.SandboxReady);
        var first = await DeliveryAsync(webhook, d => d.State == DeliveryState.Delivered);

        var second = await One.OnDemand.AgainAsync("org", first.Id);
        await UntilAsync("it has arrived again", () => receiver.Taken.Count == 2);

        Assert.NotEqual(first.Id, second.Id);
        Assert.Equal(receiver.Taken[0].Id, receiver.Taken[1].Id);
        Assert.Equal(receiver.Taken[0].Body, receiver.Taken[1].Body);
        Assert.Equal("DELIVERY_NOT_FOUND", (await RefusedAsync(() => One.OnDemand.AgainAsync("other", first.Id))).Reason);
    }

    [Fact]
    public async Task ADeletedWebhook_IsSentNothingMore_AndLeavesNothingDue()
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Answer = _ => Task.FromResult(HttpStatusCode.BadGateway);
        var webhook = (await AddAsync(receiver.Url)).Webhook.Record;
        await One.WorkAsync();
        await AppendAsync("sbx-a", EventTypes.SandboxReady);
        await DeliveryAsync(webhook, d => d.Attempts.Count == 1);

        await One.Webhooks.RemoveAsync("org", webhook.Id);
        Clock.Now += Later;
        await AppendAsync("sbx-b", EventTypes.SandboxReady);

        await Eventually.Async("nothing of it is due", async () => (await One.Due.AllAsync()).Count == 0);
        Assert.Single(receiver.Asked);
        Assert.Empty(await RedisAsync(db => db.SortedSetRangeByRankAsync("{org}:webhooks")));
        Assert.Equal("WEBHOOK_NOT_FOUND", (await RefusedAsync(() => One.Webhooks.FindAsync("org", webhook.Id))).Reason);
    }

    [Fact]
    public async Task AnOrganisation_HasAsManyAsItMayHave_AndSeesNoneOfAnother()
    {
        var replica = NewReplica(options => options.Most = 2);
        await using var receiver = await Receiver.StartAsync();
        var first = (await AddAsync(receiver.Url)).Webhook.Record;
        await AddAsync(receiver.Url);

        Assert.Equal("WEBHOOK_LIMIT", (await RefusedAsync(() => replica.Webhooks.AddAsync("org", receiver.Url, [], "", Token))).Reason);
        Assert.Equal(2, (await replica.WebhookStore.ListAsync("org")).Count);
        Assert.Equal("WEBHOOK_NOT_FOUND", (await RefusedAsync(() => One.Webhooks.FindAsync("other", first.Id))).Reason);
        Assert.Empty(await replica.WebhookStore.ListAsync("other"));
    }

    [Theory]
    [InlineData("sandbox.raedy")]
    [InlineData("")]
    [InlineData("webhook.test")]
    public async Task ATypeThatNobodyKnows_IsRefused(string type)
    {
        await using var receiver = await Receiver.StartAsync();

        Assert.Equal("event_types", (await RefusedAsync(() => AddAsync(receiver.Url, type))).Violations[0].Field);
    }

    [Fact]
    public void TheLastAttempt_IsWithinADay_WhateverChanceSays()
    {
        var options = new WebhookOptions();
        foreach (var random in new[] { 0, 0.5, 1 })
        {
            var (age, attempts) = (TimeSpan.Zero, 1);
            while (RetrySchedule.Next(attempts, age, random, options) is { } pause)
            {
                age += pause;
                attempts++;
            }

            Assert.Equal(8, attempts);
            Assert.InRange(age.TotalHours, 20, 24);
        }
    }

    private Task<NewSecret> AddAsync(string url, params string[] types) => One.Webhooks.AddAsync("org", url, types, "", Token);

    private Task<WebhookState> ChangeAsync(string id, bool enabled) => One.Webhooks.ChangeAsync("org", id, null, [], null, enabled, Token);

    private Task AppendAsync(string sandbox, string type) => One.Events.AppendAsync("org", type, sandbox, new EventFacts { Id = sandbox });

    private async Task FloodAsync()
    {
        foreach (var type in new[] { EventTypes.SandboxCreated, EventTypes.SandboxAssigned, EventTypes.SandboxReady, EventTypes.SandboxEnding, EventTypes.SandboxEnded })
        {
            await Task.WhenAll(Enumerable.Range(0, 40).Select(i => AppendAsync($"sbx-{i}", type)));
        }
    }

    private static async Task AllArrivedInOrderAsync(Receiver receiver)
    {
        await UntilAsync("all have arrived", () => receiver.Taken.Select(r => r.Id).Distinct().Count() == 200);
        foreach (var sandbox in Enumerable.Range(0, 40).Select(i => $"sbx-{i}"))
        {
            Assert.Equal(["sandbox.created", "sandbox.assigned", "sandbox.ready", "sandbox.ending", "sandbox.ended"], receiver.TypesOf(sandbox));
        }
    }

    private async Task<Delivery> DeliveryAsync(WebhookRecord webhook, Func<Delivery, bool> which)
    {
        Delivery? found = null;
        await Eventually.Async("there is such a delivery", async () =>
        {
            var ids = await One.Deliveries.ListAsync(webhook, "", 100);
            found = (await Task.WhenAll(ids!.Select(id => One.Deliveries.FindAsync("org", id)))).OfType<Delivery>().FirstOrDefault(which);
            return found is not null;
        });
        return found!;
    }

    private static async Task<Received> FirstAsync(Receiver receiver)
    {
        await UntilAsync("it has arrived", () => receiver.Taken.Count > 0);
        return receiver.Taken[0];
    }

    private static Task UntilAsync(string what, Func<bool> condition) => Eventually.Async(what, condition);

    private static async Task<RpcErrorInfo> RefusedAsync(Func<Task> call) => RpcErrors.Read(await Assert.ThrowsAsync<RpcException>(call));

    // As a receiver that knows nothing but the specification computes it.
    private static string Signature(string secret, Received received)
    {
        using var hmac = new HMACSHA256(Convert.FromBase64String(secret.Split('_')[1]));
        return Convert.ToBase64String(hmac.ComputeHash(Encoding.UTF8.GetBytes($"{received.Id}.{received.Timestamp}.{received.Body}")));
    }
}
