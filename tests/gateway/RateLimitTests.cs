using System.Net;
using System.Text.Json.Nodes;
using Corral.Api.V1;
using Corral.Gateway.RateLimits;
using Corral.Gateway.Routing;
using Corral.Hosting;
using Corral.Tests.Support;
using Grpc.Core;
using Xunit;

namespace Corral.Gateway.Tests;

/// <summary>Rates of an organisation, over two gateways and both faces.</summary>
public sealed class RateLimitTests : LimitedGateways
{
    // So slow that no token comes back while a test runs.
    protected override Dictionary<string, string?> Settings => new()
    {
        ["RateLimits:Create:PerMinute"] = "1",
        ["RateLimits:Read:PerMinute"] = "6000",
        ["RateLimits:Read:Burst"] = "1",
        ["RateLimits:Billing:PerMinute"] = "30",
    };

    [Fact]
    public async Task SixtyAtOnceOnTwoReplicas_LetExactlyTheBurstIn()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 60).Select(i => SendAsync(HttpMethod.Post, "/v1/sandboxes", "{}", replica: i % 2)));

        Assert.Equal(20, answers.Count(a => a.StatusCode == HttpStatusCode.Created));
        Assert.Equal(40, answers.Count(a => a.StatusCode == HttpStatusCode.TooManyRequests));
        Assert.Equal(20, Upstream.Creates);
    }

    [Fact]
    public async Task EveryAnswer_SaysWhereTheCallerStands_AndARefusalWhenToComeBack()
    {
        using var first = await SendAsync(HttpMethod.Post, "/v1/sandboxes", "{}");
        await Task.WhenAll(Enumerable.Range(0, 19).Select(_ => SendAsync(HttpMethod.Post, "/v1/sandboxes", "{}")));
        using var refused = await SendAsync(HttpMethod.Post, "/v1/sandboxes", "{}");

        Assert.Equal(("20", "19", "60", "1;w=60;burst=20"), (Header(first, "RateLimit-Limit"), Header(first, "RateLimit-Remaining"), Header(first, "RateLimit-Reset"), Header(first, "RateLimit-Policy")));
        Assert.Equal("0", Header(refused, "RateLimit-Remaining"));
        Assert.InRange(refused.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 60);
        Assert.Equal(
            "{\"error\":\"Rate limit exceeded. Please try again later.\",\"code\":\"RATE_LIMIT_EXCEEDED\",\"limit\":1,\"burst\":20,\"currentPlan\":\"pro\"}",
            JsonNode.Parse(await refused.Content.ReadAsStringAsync())!.ToJsonString());
    }

    [Fact]
    public async Task AnotherOrganisation_AndAnotherCall_AreNotHeldBack()
    {
        await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => SendAsync(HttpMethod.Post, "/v1/sandboxes", "{}")));

        Assert.Equal(HttpStatusCode.TooManyRequests, (await SendAsync(HttpMethod.Post, "/v1/sandboxes", "{}", LimitedUpstream.SecondKey)).StatusCode);
        Assert.Equal(HttpStatusCode.Created, (await SendAsync(HttpMethod.Post, "/v1/sandboxes", "{}", LimitedUpstream.StrangersKey)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await SendAsync(HttpMethod.Get, "/v1/sandboxes")).StatusCode);
    }

    [Fact]
    public async Task ANativeCall_TakesFromTheSameBucket_AndIsToldWhenToComeBack()
    {
        using var channel = ChannelPool.Open(Native);
        var sandboxes = new SandboxService.SandboxServiceClient(channel);
        var metadata = new Metadata { { "authorization", "Bearer " + LimitedUpstream.Key } };
        await Task.WhenAll(Enumerable.Range(0, 19).Select(_ => SendAsync(HttpMethod.Post, "/v1/sandboxes", "{}")));

        await sandboxes.CreateAsync(new CreateRequest(), metadata);
        var error = RpcErrors.Read(await Assert.ThrowsAsync<RpcException>(() => sandboxes.CreateAsync(new CreateRequest(), metadata).ResponseAsync));

        Assert.Equal((StatusCode.ResourceExhausted, "RATE_LIMIT_EXCEEDED"), (error.Code, error.Reason));
        Assert.InRange(error.RetryAfter!.Value.TotalSeconds, 1, 60);
    }

    [Fact]
    public async Task ATokenThatCameBack_IsTaken()
    {
        await SendAsync(HttpMethod.Get, "/v1/sandboxes");

        await Eventually.Async("a token is back", async () => (await SendAsync(HttpMethod.Get, "/v1/sandboxes")).StatusCode == HttpStatusCode.OK);
    }

    [Fact]
    public async Task WithoutRedis_ARequestIsNotLetThrough_AndGoesOnOnceItIsBack()
    {
        await SendAsync(HttpMethod.Post, "/v1/sandboxes", "{}");
        Redis.Kill();

        using var answer = await SendAsync(HttpMethod.Post, "/v1/sandboxes", "{}");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.NotNull(answer.Headers.RetryAfter);
        Assert.Equal("STATE_STORE_UNAVAILABLE", (string)JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["code"]!);
        Assert.Equal(1, Upstream.Creates);
        await Redis.RestartAsync();
        await Eventually.Async("creates go on", async () => (await SendAsync(HttpMethod.Post, "/v1/sandboxes", "{}")).StatusCode == HttpStatusCode.Created);
    }

    [Fact]
    public async Task ABucket_WaitsForNoDisk()
    {
        await SendAsync(HttpMethod.Post, "/v1/sandboxes", "{}");

        Assert.DoesNotContain("gateway:rate", await Redis.AppendedAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("POST", "/v1/sandboxes", 60, 20)]
    [InlineData("POST", "/v1/sandboxes/launch", 60, 20)]
    [InlineData("GET", "/v1/sandboxes", 600, 100)]
    [InlineData("DELETE", "/v1/sandboxes", 120, 30)]
    [InlineData("POST", "/v1/sandboxes/exec", 300, 50)]
    [InlineData("POST", "/v1/sandboxes/code", 300, 50)]
    [InlineData("GET", "/v1/sandboxes/fs/read", 300, 50)]
    [InlineData("POST", "/v1/sandboxes/fs/write", 300, 50)]
    [InlineData("GET", "/v1/sandboxes/fs/list", 300, 50)]
    [InlineData("GET", "/v1/usage", 30, 10)]
    [InlineData("GET", "/v1/billing", 30, 10)]
    [InlineData("POST", "/v1/sandbox", 60, 20)]
    public void TheDefaults_AreThePublishedFigures(string verb, string path, int perMinute, int burst)
    {
        var routes = new RouteTable().All.Where(route => route.Verb == verb && route.Path == path).ToList();

        Assert.NotEmpty(routes);
        Assert.All(routes, route =>
        {
            var (_, figures) = RateTable.Of(route.Descriptor, new RateLimitOptions());
            Assert.Equal((perMinute, burst), (figures.PerMinute, figures.Burst));
        });
    }

    private static string Header(HttpResponseMessage answer, string name) => answer.Headers.GetValues(name).Single();
}
