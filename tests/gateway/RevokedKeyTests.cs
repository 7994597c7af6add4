using System.Diagnostics;
using System.Net;
using Corral.Api.V1;
using Corral.Hosting;
using Grpc.Core;
using Xunit;

namespace Corral.Gateway.Tests;

/// <summary>A key that is revoked while it is used.</summary>
public sealed class RevokedKeyTests : LimitedGateways
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    protected override Dictionary<string, string?> Settings => new() { ["RateLimits:Enabled"] = "false" };

    [Fact]
    public async Task ARevokedKey_IsObeyedByEveryReplicaWithinASecond()
    {
        foreach (var replica in new[] { 0, 1 })
        {
            Assert.NotEqual(HttpStatusCode.Unauthorized, (await SendAsync(HttpMethod.Get, "/v1/sandboxes", key: LimitedUpstream.SecondKey, replica: replica)).StatusCode);
        }

        Upstream.Revoke(LimitedUpstream.SecondKey);
        var since = Stopwatch.StartNew();
        var refused = new bool[2];
        while (!refused.All(r => r))
        {
            foreach (var replica in new[] { 0, 1 })
            {
                var asked = since.Elapsed;
                var status = (await SendAsync(HttpMethod.Get, "/v1/sandboxes", key: LimitedUpstream.SecondKey, replica: replica)).StatusCode;
                refused[replica] = status == HttpStatusCode.Unauthorized;
                Assert.True(refused[replica] || asked < TimeSpan.FromSeconds(1), $"replica {replica} took the key {asked} after it was revoked");
            }
        }
    }

    [Fact]
    public async Task AStreamThatIsOpen_IsCutWhenItsKeyIsRevoked()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/sandboxes/watch?id=sbx-x");
        request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + LimitedUpstream.SecondKey);
        using var answer = await Replicas[0].SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        await using var stream = await answer.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken);

        Upstream.Revoke(LimitedUpstream.SecondKey);

        await Assert.ThrowsAnyAsync<IOException>(() => stream.CopyToAsync(Stream.Null).WaitAsync(Patience));
    }

    [Fact]
    public async Task ANativeStreamThatIsOpen_IsCutToo_AndAnothersGoesOn()
    {
        using var channel = ChannelPool.Open(Native);
        var sandboxes = new SandboxService.SandboxServiceClient(channel);
        using var revoked = sandboxes.Watch(new WatchRequest { SandboxId = "sbx-x" }, new Metadata { { "authorization", "Bearer " + LimitedUpstream.SecondKey } });
        using var good = sandboxes.Watch(new WatchRequest { SandboxId = "sbx-x" }, new Metadata { { "authorization", "Bearer " + LimitedUpstream.Key } });
        Assert.True(await revoked.ResponseStream.MoveNext(CancellationToken.None));
        Assert.True(await good.ResponseStream.MoveNext(CancellationToken.None));
        var next = good.ResponseStream.MoveNext(CancellationToken.None);

        Upstream.Revoke(LimitedUpstream.SecondKey);

        await Assert.ThrowsAsync<RpcException>(() => revoked.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Patience));
        Assert.False(next.IsCompleted);
    }
}
