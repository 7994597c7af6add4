using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using Corral.Api.V1;
using Corral.Hosting;
using Grpc.Core;
using Xunit;

namespace Corral.Gateway.Tests;

/// <summary>How often an organisation may open WebSockets of terminals, and who may use that up.</summary>
public sealed class TerminalLimitTests : LimitedGateways
{
    // So slow that no token comes back while a test runs.
    protected override Dictionary<string, string?> Settings => new() { ["RateLimits:Other:PerMinute"] = "1", ["RateLimits:Other:Burst"] = "2" };

    [Fact]
    public async Task AWebSocket_IsRefusedBeforeItIsOne_WhenItsOrganisationHasOpenedItsShare()
    {
        using var first = await OpenAsync();
        using var second = await OpenAsync(TokenOf("org", "key-1"), key: null);
        using var refused = await OpenAsync();

        Assert.Equal((HttpStatusCode.SwitchingProtocols, HttpStatusCode.SwitchingProtocols, HttpStatusCode.TooManyRequests), (first.StatusCode, second.StatusCode, refused.StatusCode));
        Assert.Equal(["1", "0", "0"], new[] { first, second, refused }.Select(answer => answer.Headers.GetValues("RateLimit-Remaining").Single()));
        Assert.InRange(refused.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 60);
        Assert.Equal(
            "{\"error\":\"Rate limit exceeded. Please try again later.\",\"code\":\"RATE_LIMIT_EXCEEDED\",\"limit\":1,\"burst\":2,\"currentPlan\":\"pro\"}",
            JsonNode.Parse(await refused.Content.ReadAsStringAsync())!.ToJsonString());
        using var byToken = await OpenAsync(TokenOf("org", "key-1"), key: null);
        Assert.Equal(HttpStatusCode.TooManyRequests, byToken.StatusCode);
        Assert.Equal(2, Upstream.Viewers);
    }

    [Fact]
    public async Task TheNativeCall_TakesFromTheSameBucket()
    {
        using var first = await OpenAsync();
        using var second = await OpenAsync();
        using var channel = ChannelPool.Open(Native);
        using var call = new TerminalService.TerminalServiceClient(channel).ConnectTerminal(new Metadata { { "authorization", "Bearer " + LimitedUpstream.Key } });
        await call.RequestStream.WriteAsync(new ConnectTerminalRequest { SandboxId = "sbx-x", View = new TerminalView() });

        var error = RpcErrors.Read(await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(CancellationToken.None)));

        Assert.Equal((StatusCode.ResourceExhausted, "RATE_LIMIT_EXCEEDED"), (error.Code, error.Reason));
    }

    [Theory]
    [InlineData("org~key-1~main~9999999999~made-up")]
    [InlineData("org~key-9~main~9999999999~proof")]
    [InlineData("org")]
    [InlineData("~~~~")]
    public async Task AMadeUpToken_TakesNothingOfTheOrganisationThatItNames(string token)
    {
        for (var i = 0; i < 5; i++)
        {
            using var refused = await OpenAsync(token, key: null);
            Assert.Equal((HttpStatusCode.Unauthorized, false), (refused.StatusCode, refused.Headers.Contains("RateLimit-Remaining")));
        }

        using var real = await OpenAsync(TokenOf("org", "key-1"), key: null);
        Assert.Equal("1", real.Headers.GetValues("RateLimit-Remaining").Single());
        Assert.Equal(1, Upstream.Viewers);
    }

    [Fact]
    public async Task AToken_OfARevokedKey_OpensNothing()
    {
        Upstream.Revoke(LimitedUpstream.SecondKey);

        using var revoked = await OpenAsync(TokenOf("org", "key-2"), key: null);
        using var good = await OpenAsync(TokenOf("org", "key-1"), key: null);

        Assert.Equal((HttpStatusCode.Unauthorized, HttpStatusCode.SwitchingProtocols), (revoked.StatusCode, good.StatusCode));
    }

    private static string TokenOf(string organization, string key) => $"{organization}~{key}~main~9999999999~{LimitedUpstream.Proof}";

    private Task<HttpResponseMessage> OpenAsync(string token = "", string? key = LimitedUpstream.Key)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, "/v1/sandboxes/terminal/socket?id=sbx-x" + (token.Length > 0 ? "&token=" + token : ""));
        request.Headers.Authorization = key is null ? null : new AuthenticationHeaderValue("Bearer", key);
        request.Headers.Connection.Add("Upgrade");
        request.Headers.Upgrade.Add(new ProductHeaderValue("websocket"));
        request.Headers.TryAddWithoutValidation("Sec-WebSocket-Version", "13");
        request.Headers.TryAddWithoutValidation("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
        return Replicas[0].SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
    }
}
