using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Corral.Tests.Instance;
using Xunit;

namespace Corral.EndToEnd.Tests;

/// <summary>What calls that cannot be meant are answered, word for word, and what hostile clients send.</summary>
public sealed class ErrorTests(SharedInstance shared)
{
    private const string Unknown = "sbx-abcdefghijklmnopqrstuvwxyz";

    [Theory]
    [InlineData("{\"runtime\":\"cobol\"}", "Invalid runtime. Must be one of: bun, python, base")]
    [InlineData("{\"size\":\"huge\"}", "Invalid size: 'huge'. Must be one of: standard")]
    [InlineData("{\"maxDurationMs\":0}", "Invalid maxDurationMs")]
    [InlineData("{\"maxDurationMs\":-1}", "Invalid maxDurationMs")]
    [InlineData("{\"maxDurationMs\":99999999999}", "Invalid maxDurationMs")]
    public async Task ABadCreate_AnswersTheDocumentsWords(string body, string error)
    {
        var answer = await shared.Boxes.PostTextAsync("/v1/sandboxes", body);

        Assert.Equal((HttpStatusCode.BadRequest, error), (answer.Status, answer.Error));
    }

    [Theory]
    [InlineData("{\"region\":\"Frankfurt\"}", "region")]
    [InlineData("{\"maxDurationMs\":\"soon\"}", "maxDurationMs")]
    [InlineData("{\"env\":{\"1BAD\":\"x\"}}", "env")]
    [InlineData("{\"env\":[]}", "env")]
    [InlineData("{\"ephemeral\":\"yes\"}", "ephemeral")]
    [InlineData("{\"colour\":\"red\"}", "colour")]
    [InlineData("{\"capabilities\":{\"browser\":{\"wings\":2}}}", "wings")]
    public async Task AWrongField_IsNamed(string body, string field)
    {
        var answer = await shared.Boxes.PostTextAsync("/v1/sandboxes", body);

        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        Assert.Contains(field, answer.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("{\"runtime\":\"bun\"} x")]
    [InlineData("nonsense")]
    public async Task MalformedJson_Is400(string body)
    {
        var answer = await shared.Boxes.PostTextAsync("/v1/sandboxes", body);

        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        Assert.NotNull(answer.Error);
    }

    [Fact]
    public async Task NoKeyAWrongKeyAndAStrangeKey_Are401()
    {
        using var none = new BoxesClient(shared.Instance.Endpoint, null);
        using var wrong = new BoxesClient(shared.Instance.Endpoint, "br_live_" + new string('x', 32));
        using var strange = new BoxesClient(shared.Instance.Endpoint, "hunter2");

        foreach (var client in new[] { none, wrong, strange })
        {
            var answer = await client.GetAsync("/v1/sandboxes");
            Assert.Equal((HttpStatusCode.Unauthorized, "Invalid or missing API key"), (answer.Status, answer.Error));
        }
    }

    [Fact]
    public async Task AnUnknownSandbox_Is404OnEveryCall()
    {
        var answers = new[]
        {
            await shared.Boxes.GetAsync($"/v1/sandboxes?id={Unknown}"),
            await shared.Boxes.DeleteAsync($"/v1/sandboxes?id={Unknown}"),
            await shared.Boxes.PostAsync("/v1/sandboxes/exec", new() { ["id"] = Unknown, ["command"] = "true" }),
            await shared.Boxes.PostAsync("/v1/sandboxes/code", new() { ["id"] = Unknown, ["code"] = "1" }),
            await shared.Boxes.GetAsync($"/v1/sandboxes/fs/read?id={Unknown}&path=x"),
            await shared.Boxes.GetAsync($"/v1/sandboxes/fs/list?id={Unknown}"),
            await shared.Boxes.GetAsync($"/v1/sandboxes/runtime?id={Unknown}"),
            await shared.Boxes.GetAsync("/v1/sandboxes?id=not-an-id"),
        };

        Assert.All(answers, answer => Assert.Equal((HttpStatusCode.NotFound, "Sandbox session not found"), (answer.Status, answer.Error)));
    }

    [Fact]
    public async Task ABodyOverTenMebibytes_Is413()
    {
        var answer = await shared.Boxes.PostTextAsync("/v1/sandboxes/fs/write", "{\"content\":\"" + new string('x', 11 * 1024 * 1024) + "\"}");

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, answer.Status);
    }

    [Fact]
    public async Task AMissingCommand_IsNamed()
    {
        var id = await shared.SandboxAsync("runc");

        var answer = await shared.Boxes.PostAsync("/v1/sandboxes/exec", new() { ["id"] = id });

        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        Assert.Contains("command", answer.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task JsonSentAsPlainText_IsRead()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/sandboxes")
        {
            Content = new StringContent("{\"runtime\":\"cobol\"}", Encoding.UTF8, "text/plain"),
        };

        var answer = await shared.Boxes.SendAsync(request);

        Assert.Equal("Invalid runtime. Must be one of: bun, python, base", answer.Error);
    }

    [Fact]
    public async Task EveryAnswer_CarriesARequestId()
    {
        var fine = await shared.Boxes.GetAsync("/v1/sandboxes");
        var refused = await shared.Boxes.GetAsync($"/v1/sandboxes?id={Unknown}");

        Assert.NotEmpty(fine.Headers.GetValues("X-Request-Id").Single());
        Assert.NotEmpty(refused.Headers.GetValues("X-Request-Id").Single());
    }

    [Fact]
    public async Task TheOpenApiDocument_NamesEveryRouteOfTheSpine()
    {
        var paths = (await shared.Boxes.GetAsync("/openapi.json")).Body!["paths"]!.AsObject();

        foreach (var path in new[] { "", "/exec", "/exec/stream", "/exec/attach", "/exec/signal", "/terminal", "/code", "/runtime", "/fs/read", "/fs/write", "/fs/list", "/fs/stat", "/fs/mkdir", "/fs/move", "/fs/delete", "/fs/watch" })
        {
            Assert.True(paths.ContainsKey("/v1/sandboxes" + path), path);
        }
    }
}
