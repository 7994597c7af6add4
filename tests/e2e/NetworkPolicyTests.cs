using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Corral.Api.V1;
using Corral.Tests.Instance;
using Google.Protobuf;
using Grpc.Core;
using Xunit;

namespace Corral.EndToEnd.Tests;

/// <summary>Policies, secrets and the egress log, as JSON callers see them.</summary>
public sealed class NetworkPolicyTests(SharedInstance shared)
{
    private const string Value = "hunter2-never-to-be-seen";

    [Fact]
    public async Task APolicy_IsAnsweredWithItsValuesMasked()
    {
        var created = await CreateAsync("""
            {"mode":"custom","allow_domains":["api.example.com"],"allow_cidrs":["198.51.100.0/24"],
             "transforms":[{"domain":"*.example.org","inject_headers":{"Authorization":"Bearer hunter2-never-to-be-seen"},"strip_headers":["X-Debug"]}]}
            """);
        Assert.Equal(HttpStatusCode.Created, created.Status);
        var id = (string)created.Body!["id"]!;
        try
        {
            foreach (var answer in new[] { created, await shared.Boxes.GetAsync($"/v1/sandboxes?id={id}") })
            {
                var policy = answer.Body!["networkPolicy"]!;
                Assert.Equal("custom", (string?)policy["mode"]);
                Assert.Equal("***", (string?)policy["transforms"]![0]!["inject_headers"]!["Authorization"]);
                Assert.Equal("X-Debug", (string?)policy["transforms"]![0]!["strip_headers"]![0]);
                Assert.DoesNotContain(Value, answer.Text, StringComparison.Ordinal);
            }
        }
        finally
        {
            await shared.Boxes.EndAsync(id);
        }
    }

    [Fact]
    public async Task WithoutAPolicy_EverythingPublicMayBeReached()
    {
        var id = await shared.SandboxAsync("runc");

        var answer = await shared.Boxes.GetAsync($"/v1/sandboxes/network-policy?id={id}");

        Assert.Equal((HttpStatusCode.OK, "allow-all"), (answer.Status, (string?)answer.Body!["mode"]));
    }

    [Theory]
    [InlineData("""{"mode":"open"}""", "networkPolicy.mode")]
    [InlineData("""{"mode":"allow-all","allow_domains":["a.example"]}""", "networkPolicy.allow_domains")]
    [InlineData("""{"mode":"custom","allow_domains":["*.com"]}""", "networkPolicy.allow_domains[0]")]
    [InlineData("""{"mode":"custom","allow_cidrs":["10.0.0.0/33"]}""", "networkPolicy.allow_cidrs[0]")]
    [InlineData("""{"mode":"deny-all","transforms":[{"domain":"a.example"}]}""", "networkPolicy.transforms")]
    [InlineData("""{"mode":"custom","transforms":[{"domain":"a.example","inject_headers":{"Host":"b.example"}}]}""", "networkPolicy.transforms[0].inject_headers")]
    [InlineData("""{"mode":"custom","transforms":[{"domain":"a.example","inject_headers":{"X-A":"a\r\nX-B: b"}}]}""", "networkPolicy.transforms[0].inject_headers.X-A")]
    [InlineData("""{"mode":"custom","transforms":[{"domain":"a.example","inject_headers":{"X-A":"${secret:NOBODY}"}}]}""", "networkPolicy.transforms[0].inject_headers.X-A")]
    [InlineData("""{"mode":"custom","allowDomains":["a.example"]}""", "networkPolicy.allowDomains")]
    public async Task AWrongEntry_IsNamed(string policy, string field)
    {
        var answer = await CreateAsync(policy);

        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        Assert.Contains(field, answer.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AChangedPolicy_IsAnswered_AndRefusedToWhoeverSawAnother()
    {
        var id = await shared.Boxes.ReadyAsync(new() { ["runtime"] = "base" });
        try
        {
            var changed = await PutAsync("/v1/sandboxes/network-policy", $$"""{"id":"{{id}}","version":1,"mode":"custom","allow_domains":["a.example"]}""");
            Assert.Equal((HttpStatusCode.OK, "custom", 2), (changed.Status, (string?)changed.Body?["mode"], (int?)changed.Body?["version"]));

            var late = await PutAsync("/v1/sandboxes/network-policy", $$"""{"id":"{{id}}","version":1,"mode":"deny-all"}""");
            Assert.Equal(HttpStatusCode.Conflict, late.Status);

            var wrong = await PutAsync("/v1/sandboxes/network-policy", $$"""{"id":"{{id}}","mode":"custom","allow_domains":["localhost"]}""");
            Assert.Equal(HttpStatusCode.BadRequest, wrong.Status);
            Assert.StartsWith("Invalid allow_domains[0]: ", wrong.Error, StringComparison.Ordinal);
        }
        finally
        {
            await shared.Boxes.EndAsync(id);
        }
    }

    [Fact]
    public async Task AnUnknownSandbox_HasNoPolicy()
    {
        Assert.Equal(HttpStatusCode.NotFound, (await shared.Boxes.GetAsync("/v1/sandboxes/network-policy?id=sbx-abcdefghijklmnopqrstuvwxyz")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await PutAsync("/v1/sandboxes/network-policy", """{"id":"nobody","mode":"deny-all"}""")).Status);
    }

    [Fact]
    public async Task ASecret_IsWritten_Used_AndRevoked_ButNeverAnswered()
    {
        var made = await PutAsync("/v1/secrets", $$"""{"name":"E2E_TOKEN","value":"{{Value}}"}""");
        Assert.Equal(HttpStatusCode.OK, made.Status);
        var version = (int)made.Body!["version"]!;
        var id = await shared.Boxes.ReadyAsync(new()
        {
            ["runtime"] = "base",
            ["env"] = new JsonObject { ["TOKEN"] = "${secret:E2E_TOKEN@api.example.com}" },
        });
        try
        {
            var told = await shared.Boxes.GetAsync("/v1/secrets?name=E2E_TOKEN");
            Assert.Equal([id], told.Body!["usedBy"]!.AsArray().Select(user => (string)user!));
            Assert.Contains("E2E_TOKEN", (await shared.Boxes.GetAsync("/v1/secrets")).Text, StringComparison.Ordinal);
            var inside = (string)(await shared.Boxes.ExecAsync(id, "printf %s \"$TOKEN\""))["stdout"]!;
            Assert.Matches("^corral-secret-[a-z0-9]{32}$", inside);

            var rotated = await PutAsync("/v1/secrets", $$"""{"name":"E2E_TOKEN","value":"{{Value}}-2"}""");
            Assert.Equal(version + 1, (int)rotated.Body!["version"]!);

            Assert.Equal("""{"ok":true}""", (await shared.Boxes.DeleteAsync("/v1/secrets?name=E2E_TOKEN")).Text);
            Assert.Equal(HttpStatusCode.NotFound, (await shared.Boxes.GetAsync("/v1/secrets?name=E2E_TOKEN")).Status);
            Assert.All([made, told, rotated], answer => Assert.DoesNotContain(Value, answer.Text, StringComparison.Ordinal));
        }
        finally
        {
            await shared.Boxes.EndAsync(id);
        }
    }

    [Theory]
    [InlineData("""{"name":"1","value":"x"}""", "name")]
    [InlineData("""{"name":"A","value":""}""", "value")]
    [InlineData("""{"name":"A","value":"a\nb"}""", "value")]
    public async Task AWrongSecret_IsNamed(string body, string field)
    {
        var answer = await PutAsync("/v1/secrets", body);

        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        Assert.StartsWith($"Invalid {field}: ", answer.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("socks4://a:b@proxy.example.com:1080")]
    [InlineData("http://proxy.example.com")]
    [InlineData("http://localhost:8080")]
    public async Task AWrongProxy_IsRefused_WithoutBeingRepeated(string url)
    {
        var answer = await shared.Boxes.PostAsync("/v1/sandboxes", Proxied(url));

        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        Assert.Contains("byoProxyUrl", answer.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(url, answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AProxy_IsAnsweredWithoutItsPassword()
    {
        var answer = await shared.Boxes.PostAsync("/v1/sandboxes", Proxied($"http://user:{Value}@proxy.example.com:3128"));
        var id = (string)answer.Body!["id"]!;

        Assert.Equal("http://***@proxy.example.com:3128", (string?)answer.Body["capabilities"]!["browser"]!["byoProxyUrl"]);
        Assert.DoesNotContain(Value, (await shared.Boxes.GetAsync($"/v1/sandboxes?id={id}")).Text, StringComparison.Ordinal);
        await shared.Boxes.EndAsync(id);
    }

    [Fact]
    public async Task WhatASandboxTried_IsListed_AndStreamed()
    {
        var id = await shared.Boxes.ReadyAsync(new() { ["runtime"] = "base", ["networkPolicy"] = new JsonObject { ["mode"] = "deny-all" } });
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"/v1/sandboxes/egress?id={id}&after=0");
            request.Headers.Accept.ParseAdd("text/event-stream");
            var opening = shared.Boxes.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            await shared.Boxes.ExecAsync(id, "getent hosts refused.example.com; true");

            var listed = await shared.Boxes.GetAsync($"/v1/sandboxes/egress?id={id}&refusedOnly=true");
            Assert.Contains(listed.Body!["items"]!.AsArray(), item => (string?)item!["name"] == "refused.example.com" && (string?)item["kind"] == "dns" && !(bool)item["allowed"]!);

            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
            using var response = await opening.WaitAsync(patience.Token);
            Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
            using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(patience.Token), Encoding.UTF8);
            while (await reader.ReadLineAsync(patience.Token) is { } line && !line.Contains("refused.example.com", StringComparison.Ordinal))
            {
                // The records before it.
            }
        }
        finally
        {
            await shared.Boxes.EndAsync(id);
        }
    }

    [Fact]
    public async Task WhatASandboxTried_IsListedAfterItsEnd_ForItsOwnOrganisationOnly()
    {
        using var theirs = await shared.OrganizationAsync("builder");
        var id = await theirs.ReadyAsync(new() { ["runtime"] = "base", ["networkPolicy"] = new JsonObject { ["mode"] = "deny-all" } });
        await theirs.ExecAsync(id, "getent hosts refused.example.com; true");
        await theirs.EndAsync(id);
        await theirs.UntilAsync(id, "ended");

        var listed = await theirs.GetAsync($"/v1/sandboxes/egress?id={id}&refusedOnly=true");
        var streamed = await theirs.SendAsync(new HttpRequestMessage(HttpMethod.Get, $"/v1/sandboxes/egress?id={id}") { Headers = { Accept = { new("text/event-stream") } } });
        var others = await shared.Boxes.GetAsync($"/v1/sandboxes/egress?id={id}");

        Assert.Equal(HttpStatusCode.OK, listed.Status);
        Assert.Contains(listed.Body!["items"]!.AsArray(), item => (string?)item!["name"] == "refused.example.com" && (string?)item["kind"] == "dns" && !(bool)item["allowed"]!);
        Assert.Equal(HttpStatusCode.Conflict, streamed.Status);
        Assert.Equal((HttpStatusCode.NotFound, "Sandbox session not found"), (others.Status, others.Error));
    }

    [Fact]
    public async Task ASandboxThatEndedBeforeItHadANode_HasNoRecord_AndThatIsSaid()
    {
        using var theirs = await shared.OrganizationAsync("free");
        var running = await theirs.ReadyAsync(new() { ["runtime"] = "base" });
        var waiting = (string)(await theirs.PostAsync("/v1/sandboxes", new() { ["runtime"] = "base", ["queueAtLimit"] = true })).Body!["id"]!;

        var before = await theirs.GetAsync($"/v1/sandboxes/egress?id={waiting}");
        await theirs.EndAsync(waiting);
        await theirs.UntilAsync(waiting, "ended");
        var after = await theirs.GetAsync($"/v1/sandboxes/egress?id={waiting}");
        await theirs.EndAsync(running);

        Assert.Equal((HttpStatusCode.Conflict, "SANDBOX_NOT_READY"), (before.Status, (string?)before.Body!["code"]));
        Assert.Equal((HttpStatusCode.Conflict, "SANDBOX_NEVER_RAN"), (after.Status, (string?)after.Body!["code"]));
    }

    [Fact]
    public async Task ASandboxNamedBehindOnesOwn_IsNotListed()
    {
        using var theirs = await shared.OrganizationAsync("builder");
        var id = await theirs.ReadyAsync(new() { ["runtime"] = "base" });
        await theirs.EndAsync(id);
        await theirs.UntilAsync(id, "ended");
        var own = await shared.SandboxAsync("runc");
        // Field 1 twice: who reads only the beginning sees the first, who reads all of it the last.
        byte[] request = [.. new ListEgressRequest { SandboxId = own }.ToByteArray(), .. new ListEgressRequest { SandboxId = id }.ToByteArray()];
        var bytes = Marshallers.Create(static (byte[] value) => value, static value => value);
        var method = new Method<byte[], byte[]>(MethodType.Unary, EgressLogService.Descriptor.FullName, "ListEgress", bytes, bytes);

        using var call = shared.Instance.Channel.CreateCallInvoker().AsyncUnaryCall(method, null, new CallOptions(shared.Instance.Credentials), request);

        Assert.Equal(StatusCode.NotFound, (await Assert.ThrowsAsync<RpcException>(() => call.ResponseAsync)).StatusCode);
        Assert.NotEmpty((await new EgressLogService.EgressLogServiceClient(shared.Instance.Channel).ListEgressAsync(new ListEgressRequest { SandboxId = own }, shared.Instance.Credentials)).Items);
    }

    private Task<Answer> CreateAsync(string policy) => shared.Boxes.PostTextAsync("/v1/sandboxes", $$"""{"runtime":"base","networkPolicy":{{policy}}}""");

    private Task<Answer> PutAsync(string path, string body) =>
        shared.Boxes.SendAsync(new HttpRequestMessage(HttpMethod.Put, path) { Content = new StringContent(body, Encoding.UTF8, "application/json") });

    private static JsonObject Proxied(string url) =>
        new() { ["runtime"] = "base", ["capabilities"] = new JsonObject { ["browser"] = new JsonObject { ["byoProxyUrl"] = url } } };
}
