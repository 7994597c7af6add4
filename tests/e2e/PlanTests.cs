using System.Net;
using System.Text.Json.Nodes;
using Corral.Tests.Instance;
using Corral.Tests.Support;
using Xunit;

namespace Corral.EndToEnd.Tests;

/// <summary>Organisations, keys, limits, usage and the ledger, as their owners meet them.</summary>
public sealed class PlanTests(SharedInstance shared)
{
    [Fact]
    public async Task AnOrganisationOnTheFreePlan_HasOneSandboxAtATime_AndTheNextWaitsIfItAsksTo()
    {
        using var ours = await shared.OrganizationAsync("free");
        var first = await ours.ReadyAsync(new() { ["runtime"] = "base" });

        var refused = await ours.PostTextAsync("/v1/sandboxes", "{\"runtime\":\"base\"}");
        var tooLong = await ours.PostTextAsync("/v1/sandboxes", "{\"maxDurationMs\":300001}");
        var waiting = await ours.PostTextAsync("/v1/sandboxes", "{\"runtime\":\"base\",\"queueAtLimit\":true}");

        Assert.Equal((HttpStatusCode.TooManyRequests, "Concurrent sandbox limit reached"), (refused.Status, refused.Error));
        Assert.Equal(("CONCURRENT_SANDBOX_LIMIT", 1, 1, "free"), ((string)refused.Body!["code"]!, (int)refused.Body["limit"]!, (int)refused.Body["current"]!, (string)refused.Body["currentPlan"]!));
        Assert.True((long)refused.Body["liftedAt"]! > 0);
        Assert.NotNull(refused.Headers.RetryAfter);
        Assert.Equal((HttpStatusCode.BadRequest, "Invalid maxDurationMs", "PLAN_LIMIT_EXCEEDED", 300_000), (tooLong.Status, tooLong.Error, (string)tooLong.Body!["code"]!, (int)tooLong.Body["limit"]!));
        Assert.Equal((HttpStatusCode.Created, "queued", 1), (waiting.Status, (string)waiting.Body!["status"]!, (int)waiting.Body["queue"]!["position"]!));
        Assert.True((long)waiting.Body["queue"]!["estimatedStartAt"]! > 0);

        await ours.EndAsync(first);
        var second = (string)waiting.Body["id"]!;
        var started = await ours.UntilAsync(second, "ready");
        Assert.Null(started["queue"]);
        await ours.EndAsync(second);
    }

    [Fact]
    public async Task AKey_IsMadeNarrowed_Rotated_AndRevoked()
    {
        using var ours = await shared.OrganizationAsync("builder");
        var made = await ours.PostTextAsync("/v1/api-keys", "{\"name\":\"reader\",\"scopes\":[\"sandbox_sessions:read\"],\"expiresInMs\":3600000}");
        Assert.Equal(HttpStatusCode.Created, made.Status);
        Assert.Matches("^br_live_[A-Za-z0-9]{32}$", (string)made.Body!["key"]!);
        Assert.Equal(("reader", "active"), ((string)made.Body["name"]!, (string)made.Body["status"]!));
        using var reader = new BoxesClient(shared.Instance.Endpoint, (string)made.Body["key"]!);

        Assert.Equal(HttpStatusCode.OK, (await reader.GetAsync("/v1/sandboxes")).Status);
        var refused = await reader.PostTextAsync("/v1/sandboxes", "{}");
        Assert.Equal((HttpStatusCode.Forbidden, "Insufficient permissions", "PERMISSION_DENIED"), (refused.Status, refused.Error, (string)refused.Body!["code"]!));

        var id = (string)made.Body["id"]!;
        Assert.Equal(HttpStatusCode.OK, (await ours.DeleteAsync($"/v1/api-keys?id={id}")).Status);
        await Eventually.Async("the key is nobody's", async () => (await reader.GetAsync("/v1/sandboxes")).Status == HttpStatusCode.Unauthorized);
        var listed = (await ours.GetAsync("/v1/api-keys")).Body!["items"]!.AsArray();
        Assert.Equal("revoked", (string)listed.Single(key => (string)key!["id"]! == id)!["status"]!);
        Assert.DoesNotContain((string)made.Body["key"]!, (await ours.GetAsync("/v1/api-keys")).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task OnlyTheOperator_MakesOrganisations_AndSetsTheirPlans()
    {
        using var ours = await shared.OrganizationAsync("free");
        var refused = await ours.PostTextAsync("/v1/admin/organizations", "{\"name\":\"mine\"}");
        Assert.Equal((HttpStatusCode.Forbidden, "Insufficient permissions"), (refused.Status, refused.Error));
        Assert.Equal(HttpStatusCode.Forbidden, (await ours.GetAsync("/v1/admin/organizations")).Status);

        var made = await shared.Boxes.PostTextAsync("/v1/admin/organizations", "{\"name\":\"theirs\"}");
        var id = (string)made.Body!["organization"]!["id"]!;
        var changed = await shared.Boxes.SendAsync(new HttpRequestMessage(HttpMethod.Patch, "/v1/admin/organizations")
        {
            Content = new StringContent(new JsonObject { ["id"] = id, ["plan"] = "scale" }.ToJsonString()),
        });
        Assert.Equal("scale", (string)changed.Body!["plan"]!);
        using var theirs = new BoxesClient(shared.Instance.Endpoint, (string)made.Body["apiKey"]!);
        var billing = (await theirs.GetAsync("/v1/billing")).Body!;
        Assert.Equal(("scale", 50, 7_200_000, 5000), ((string)billing["plan"]!, (int)billing["limits"]!["concurrentSandboxes"]!, (int)billing["limits"]!["maxDurationMs"]!, (int)billing["limits"]!["sandboxHoursPerMonth"]!));
        Assert.Equal(4, billing["plans"]!.AsArray().Count);
    }

    [Fact]
    public async Task WhatRan_IsInTheUsage_AndWhoEndedItInTheLedger()
    {
        using var ours = await shared.OrganizationAsync("pro");
        var id = await ours.ReadyAsync(new() { ["runtime"] = "base" });
        Assert.Equal(1, (int)(await ours.GetAsync("/v1/usage")).Body!["concurrentSandboxes"]!["used"]!);
        await ours.EndAsync(id);
        var session = await ours.UntilAsync(id, "ended");

        var usage = (await ours.GetAsync("/v1/usage")).Body!;
        var ledger = (await ours.GetAsync("/v1/sandboxes/terminations")).Body!;

        Assert.Equal((long)session["duration"]!, (long)usage["sandboxHours"]!["usedMs"]!);
        Assert.Equal((0, 10), ((int)usage["concurrentSandboxes"]!["used"]!, (int)usage["concurrentSandboxes"]!["limit"]!));
        Assert.Equal((long)session["duration"]!, usage["days"]!.AsArray().Sum(day => (long)day!["usedMs"]!));
        var entry = Assert.Single(ledger["items"]!.AsArray())!;
        var keys = (await ours.GetAsync("/v1/api-keys")).Body!["items"]!.AsArray();
        Assert.Equal((id, "client", (string)keys.Single()!["id"]!), ((string)entry["id"]!, (string)entry["endReason"]!, (string)entry["endedBy"]!));
        Assert.Equal((string)entry["endedBy"]!, (string)session["endedBy"]!);
    }

    [Fact]
    public async Task AnIdempotencyKey_MakesOneSandbox_AndRunsACommandOnce()
    {
        using var ours = await shared.OrganizationAsync("pro");
        var first = await SendAsync(ours, "/v1/sandboxes", "{\"runtime\":\"base\"}", "create-1");
        var again = await SendAsync(ours, "/v1/sandboxes", "{\"runtime\":\"base\"}", "create-1");
        var other = await SendAsync(ours, "/v1/sandboxes", "{\"runtime\":\"python\"}", "create-1");
        Assert.Equal((HttpStatusCode.Created, first.Text), (again.Status, again.Text));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, other.Status);

        var id = (string)first.Body!["id"]!;
        await ours.UntilAsync(id, "ready");
        var append = new JsonObject { ["id"] = id, ["command"] = "echo x >> /workspace/lines; wc -l < /workspace/lines" }.ToJsonString();
        var ran = await SendAsync(ours, "/v1/sandboxes/exec", append, "exec-1");
        var ranAgain = await SendAsync(ours, "/v1/sandboxes/exec", append, "exec-1");
        Assert.Equal(("1\n", ran.Text), ((string)ran.Body!["stdout"]!, ranAgain.Text));
        Assert.Equal("2\n", (string)(await SendAsync(ours, "/v1/sandboxes/exec", append, "exec-2")).Body!["stdout"]!);

        var delete = new JsonObject { ["path"] = "/workspace/lines" }.ToJsonString();
        var deleted = await SendAsync(ours, $"/v1/sandbox/{id}/filesystem/delete", delete, "delete-1");
        var deletedAgain = await SendAsync(ours, $"/v1/sandbox/{id}/filesystem/delete", delete, "delete-1");
        Assert.Equal((HttpStatusCode.NoContent, HttpStatusCode.NoContent), (deleted.Status, deletedAgain.Status));
        Assert.Equal("true", deletedAgain.Headers.GetValues("Idempotent-Replayed").Single());
        await ours.EndAsync(id);
    }

    [Fact]
    public async Task AStreamThatIsAskedForAgain_HasTheSameEvents()
    {
        using var ours = await shared.OrganizationAsync("pro");
        var id = await ours.ReadyAsync(new() { ["runtime"] = "base" });
        var body = new JsonObject { ["id"] = id, ["command"] = "date +%N" }.ToJsonString();

        var first = await SendAsync(ours, "/v1/sandboxes/exec/stream", body, "stream-1");
        var again = await SendAsync(ours, "/v1/sandboxes/exec/stream", body, "stream-1");

        Assert.Contains("event: exit", first.Text, StringComparison.Ordinal);
        Assert.Equal(first.Text, again.Text);
        await ours.EndAsync(id);
    }

    [Fact]
    public async Task AnothersSandboxAndKey_AreNotFound()
    {
        using var ours = await shared.OrganizationAsync("free");
        var id = await shared.SandboxAsync("runc");
        var keys = (await shared.Boxes.GetAsync("/v1/api-keys")).Body!["items"]!.AsArray();

        Assert.Equal(HttpStatusCode.NotFound, (await ours.GetAsync($"/v1/sandboxes?id={id}")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await ours.DeleteAsync($"/v1/sandboxes?id={id}")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await ours.PostAsync("/v1/sandboxes/exec", new() { ["id"] = id, ["command"] = "true" })).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await ours.GetAsync($"/v1/api-keys?id={(string)keys[0]!["id"]!}")).Status);
    }

    private static Task<Answer> SendAsync(BoxesClient client, string path, string body, string idempotencyKey)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(body) };
        request.Headers.Add("Idempotency-Key", idempotencyKey);
        return client.SendAsync(request);
    }
}
