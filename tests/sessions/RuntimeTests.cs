using Corral.Api.V1;
using Corral.Hosting;
using Corral.Sessions.Grpc;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Corral.Sessions.Tests;

/// <summary>A sandbox's runtime, asked of a node that may be away.</summary>
public sealed class RuntimeTests : SessionsTest
{
    [Fact]
    public async Task ANodeThatIsAway_IsUnavailable_AndItsAddressIsNotTold()
    {
        var created = await One.CreateAsync();
        await One.UntilAsync(created.Id, SandboxState.Ready);
        await Fleet.Nodes[0].Host.StopAsync();
        var builder = CorralHost.CreateBuilder([], "runtime-test");
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(One.Store);
        await using var app = builder.Build();
        app.MapCorral();
        app.MapGrpcService<RuntimeGrpcService>();
        await app.StartAsync();
        using var channel = ChannelPool.Open("unix:" + CorralPaths.Socket("runtime-test"));

        var refused = await Assert.ThrowsAsync<RpcException>(() => new RuntimeService.RuntimeServiceClient(channel).GetRuntimeAsync(
            new GetRuntimeRequest { SandboxId = created.Id }, new CallerIdentity("org", "key", [], "r").ToMetadata()).ResponseAsync);
        await app.StopAsync();

        Assert.Equal((StatusCode.Unavailable, "The service is unavailable. Try again shortly."), (refused.StatusCode, refused.Status.Detail));
    }
}
