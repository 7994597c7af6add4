using System.Net;
using Corral.Gateway.Routing;
using Corral.Gateway.Security;
using Corral.Hosting;
using Corral.Tests.Support;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Corral.Gateway.Tests;

/// <summary>What an organisation has in the gateway's memory at once: 256 MiB, of which a file that is read whole takes 32.</summary>
public sealed class MemoryShareTests(HostedGateway gateway)
{
    private const int FilesAtOnce = 8;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task MoreFilesThanThereIsRoomFor_WaitForOnesOfTheirOwnOrganisation_AndForNobodyElses()
    {
        var first = Enumerable.Range(0, FilesAtOnce).Select(_ => ReadAsync(FakeSessions.Key)).ToList();
        await Eventually.Async("there is no room left", () => FakeSessions.Files.Reading == FilesAtOnce);
        var late = ReadAsync(FakeSessions.Key);

        var other = ReadAsync(FakeSessions.OtherKey);
        await Eventually.Async("another organisation's is read", () => FakeSessions.Files.Reading == FilesAtOnce + 1);
        using var listed = await SendAsync(HttpMethod.Get, "/v1/sandboxes", FakeSessions.Key);

        Assert.Equal(HttpStatusCode.OK, listed.StatusCode);
        Assert.Equal(FilesAtOnce + 1, FakeSessions.Files.Reading);
        FakeSessions.Files.LetGo(FilesAtOnce + 2);
        Assert.All(await Task.WhenAll([.. first, late, other]), status => Assert.Equal(HttpStatusCode.OK, status));
    }

    [Fact]
    public async Task ALongBody_IsReadWhole_AndItsRoomIsFreeOnceItIsAnswered()
    {
        // Together more than there is room for.
        for (var i = 0; i < 30; i++)
        {
            using var body = new StringContent($$$"""{"env": {"A": "{{{new string('x', 9_000_000)}}}"}}""");
            using var answer = await SendAsync(HttpMethod.Post, "/v1/sandboxes", FakeSessions.Key, body);
            Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        }

        Assert.Equal(9_000_000, gateway.Sessions.Created!.Value.Request.Env["A"].Length);
    }

    [Fact]
    public async Task WhoFindsNoRoomInTime_IsToldTheLimit()
    {
        var clock = new Hasty();
        using var shares = new MemoryShares(clock);
        var context = new DefaultHttpContext();
        shares.Charge(context, new Caller(new CallerIdentity("org", "key", [], ""), "pro"));
        await MemoryShares.TakeForAnswerAsync(context, MemoryShares.MostBytes);
        clock.IsHasty = true;

        var refusal = await Assert.ThrowsAsync<RpcException>(async () => await MemoryShares.TakeForAnswerAsync(context, 1));

        var error = RpcErrors.Read(refusal);
        Assert.Equal((StatusCode.ResourceExhausted, "TOO_MUCH_AT_ONCE", "268435456"), (error.Code, error.Reason, error.Metadata["limitBytes"]));
    }

    private async Task<HttpStatusCode> ReadAsync(string key)
    {
        using var answer = await SendAsync(HttpMethod.Get, $"/v1/sandboxes/fs/read?id={FakeSessions.Known}&path=a", key);
        return answer.StatusCode;
    }

    private Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, string key, HttpContent? content = null)
    {
        var request = new HttpRequestMessage(method, path) { Content = content };
        request.Headers.Authorization = new("Bearer", key);
        return gateway.Client.SendAsync(request, Cancelled);
    }

    private sealed class Hasty : TimeProvider
    {
        public bool IsHasty { get; set; }

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            base.CreateTimer(callback, state, IsHasty ? TimeSpan.Zero : dueTime, period);
    }
}
