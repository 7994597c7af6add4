using System.Net;
using System.Text.Json.Nodes;
using Corral.Tests.Instance;
using Xunit;

namespace Corral.EndToEnd.Tests;

/// <summary>Another organisation's key, on every route of the OpenAPI document: nothing there is, and nothing tells that there is something.</summary>
public sealed class ForeignKeyTests(SharedInstance shared)
{
    // What is about nothing that exists already, and so can only be the caller's own.
    private static readonly HashSet<string> OfNobody =
    [
        "POST /v1/sandboxes", "POST /v1/sandboxes/launch", "POST /v1/sandbox", "PUT /v1/secrets", "POST /v1/webhooks", "POST /v1/api-keys",
        "GET /v1/usage", "GET /v1/billing", "GET /v1/sandboxes/terminations",
    ];

    [Fact]
    public async Task OnEveryRoute_WhatIsAnothers_IsAnsweredAsWhatIsNot()
    {
        using var theirs = await shared.OrganizationAsync("pro");
        using var ours = await shared.OrganizationAsync("pro");
        var known = await TheirsAsync(theirs);
        var wrong = new List<string>();
        var operations = await ApiOperation.AllAsync(shared.Boxes);
        Assert.ProperSuperset(OfNobody, operations.Select(operation => operation.ToString()).ToHashSet());

        foreach (var operation in operations.Where(operation => !OfNobody.Contains(operation.ToString())))
        {
            var answer = await ours.SendAsync(operation.Request(name => Value(operation, name, known)));
            var unknown = await ours.SendAsync(operation.Request(name => Value(operation, name, kind => Unlike(known(kind)))));
            var expected = operation.IsOperators ? HttpStatusCode.Forbidden : HttpStatusCode.NotFound;
            if (answer.Status != expected || unknown.Status != expected || answer.Text != unknown.Text)
            {
                wrong.Add($"{operation}: {(int)answer.Status} {answer.Text} for what is there, {(int)unknown.Status} {unknown.Text} for what is not");
            }
        }

        Assert.Empty(wrong);
        Assert.Equal(HttpStatusCode.NotFound, (await ours.GetAsync("/v1/webhooks/deliveries?id=" + known("webhook"))).Status);
        Assert.Equal("ready", (string)(await theirs.GetAsync("/v1/sandboxes?id=" + known("sandbox"))).Body!["status"]!);
        await theirs.EndAsync(known("sandbox"));
    }

    // Of the same form, and nobody's.
    private static string Unlike(string id) => id.Split('-') is [var kind, var rest] ? $"{kind}-{new string([.. rest.Reverse()])}" : id + "_2";

    private static JsonNode? Value(ApiOperation operation, string name, Func<string, string> known) => name switch
    {
        // One of them at a time: which is given says what is asked for.
        "id" when operation.Path == "/v1/webhooks/deliveries" => null,
        "id" when operation.Path.StartsWith("/v1/webhooks", StringComparison.Ordinal) => known("webhook"),
        "id" when operation.Path.StartsWith("/v1/api-keys", StringComparison.Ordinal) => known("key"),
        "id" or "sandbox_id" => known("sandbox"),
        "deliveryId" => known("delivery"),
        "name" when operation.Path == "/v1/secrets" => known("secret"),
        "path" or "from" or "src_path" => "/workspace/there",
        "to" or "dst_path" => "/workspace/elsewhere",
        "content" or "data" or "code" or "command" => "true",
        "language" => "bash",
        "execId" => "exec-1",
        "signal" => 15,
        "mode" when operation.Path.EndsWith("network-policy", StringComparison.Ordinal) => "deny-all",
        "mode" or "permissions" => "0644",
        "pattern" => "*",
        "find" => "a",
        "replace" => "b",
        "paths" or "files" => new JsonArray("/workspace/there"),
        "edits" => new JsonArray(new JsonObject { ["find"] = "a", ["replace"] = "b" }),
        _ => null,
    };

    private static async Task<Func<string, string>> TheirsAsync(BoxesClient theirs)
    {
        var sandbox = await theirs.ReadyAsync(new() { ["runtime"] = "base" });
        await theirs.ExecAsync(sandbox, "touch /workspace/there");
        await theirs.SendAsync(new HttpRequestMessage(HttpMethod.Put, "/v1/secrets") { Content = new StringContent("{\"name\":\"THEIRS\",\"value\":\"theirs\"}") });
        using var receiver = new HookReceiver();
        var webhook = (string)(await theirs.PostAsync("/v1/webhooks", new() { ["url"] = receiver.Url })).Body!["id"]!;
        var key = (string)(await theirs.GetAsync("/v1/api-keys")).Body!["items"]![0]!["id"]!;
        var delivery = (string)(await theirs.PostAsync("/v1/webhooks/test", new() { ["id"] = webhook })).Body!["id"]!;
        return kind => kind switch { "sandbox" => sandbox, "webhook" => webhook, "key" => key, "delivery" => delivery, _ => "THEIRS" };
    }
}
