using System.Net;
using System.Text.Json.Nodes;
using Corral.Api.V1;
using Corral.Hosting;
using Grpc.Core;
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

    [Fact]
    public async Task TheRecordOfASandbox_IsSaidSoThroughGrpcToo()
    {
        using var channel = ChannelPool.Open(Native);
        var credentials = new Metadata { { "authorization", "Bearer " + LimitedUpstream.Key } };

        var failure = await Assert.ThrowsAsync<RpcException>(async () => await new EgressLogService.EgressLogServiceClient(channel).ListEgressAsync(
            new ListEgressRequest { SandboxId = LimitedUpstream.OfALostNode }, credentials, cancellationToken: TestContext.Current.CancellationToken));

        Assert.Equal((StatusCode.Unavailable, "NODE_UNAVAILABLE"), (failure.StatusCode, RpcErrors.Read(failure).Reason));
    }
}
