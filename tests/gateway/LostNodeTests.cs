using System.Net;
using System.Text.Json.Nodes;
using Xunit;

namespace Corral.Gateway.Tests;

/// <summary>What lies on a node that is gone.</summary>
public sealed class LostNodeTests : LimitedGateways
{
    [Fact]
    public async Task TheRecordOfASandbox_IsSaidToBeOnANodeThatDoesNotAnswer()
    {
        using var answer = await SendAsync(HttpMethod.Get, "/v1/sandboxes/egress?id=" + LimitedUpstream.OfALostNode);
        var error = JsonNode.Parse(await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken))!;

        Assert.Equal((HttpStatusCode.ServiceUnavailable, "NODE_UNAVAILABLE"), (answer.StatusCode, (string)error["code"]!));
        Assert.Equal("The node that ran the sandbox does not answer, and what is asked for is kept there only", (string)error["error"]!);
        Assert.NotNull(answer.Headers.RetryAfter);
    }
}
