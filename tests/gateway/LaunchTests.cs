using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Corral.Api.V1;
using Corral.Hosting;
using Grpc.Core;
using Xunit;

namespace Corral.Gateway.Tests;

/// <summary>Where a launched sandbox runs is told to the gateway with the answer, and to nobody else.</summary>
public sealed class LaunchTests(HostedGateway gateway)
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task TheFirstCommandOfALaunchedSandbox_GoesWhereItRuns_WithoutAnotherQuestion()
    {
        var id = (string)(await PostAsync("/v1/sandboxes/launch", new JsonObject()))["id"]!;

        // Sessions is asked for where it is, and does not know.
        Assert.Equal(id, (string)(await PostAsync("/v1/sandboxes/exec", new JsonObject { ["id"] = id, ["command"] = "true" }))["stdout"]!);
    }

    [Fact]
    public async Task ThroughGrpc_AClientIsNotTold_EvenIfItAsks()
    {
        using var channel = ChannelPool.Open(gateway.Native);
        var metadata = new Metadata { { "authorization", "Bearer " + FakeSessions.Key }, { CallerIdentity.PlaceKey, "?" } };

        using var call = new SandboxService.SandboxServiceClient(channel).LaunchAsync(new LaunchRequest(), metadata, cancellationToken: Cancelled);

        Assert.Equal(SandboxState.Ready, (await call).Sandbox.State);
        Assert.DoesNotContain(call.GetTrailers(), trailer => trailer.Key.StartsWith("corral-", StringComparison.Ordinal));
    }

    private async Task<JsonNode> PostAsync(string path, JsonObject body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(body) };
        request.Headers.Authorization = new("Bearer", FakeSessions.Key);
        using var answer = await gateway.Client.SendAsync(request, Cancelled);
        var text = await answer.Content.ReadAsStringAsync(Cancelled);
        return answer.StatusCode is HttpStatusCode.OK or HttpStatusCode.Created ? JsonNode.Parse(text)! : throw new InvalidOperationException(text);
    }
}
