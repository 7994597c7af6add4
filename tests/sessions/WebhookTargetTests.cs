using System.Diagnostics;
using System.Net;
using Corral.Hosting;
using Corral.Sessions.Webhooks;
using Corral.Tests.Support;
using Grpc.Core;
using Xunit;

namespace Corral.Sessions.Tests;

/// <summary>Where webhooks may lead, and what a receiver may do to who sends: nothing.</summary>
public sealed class WebhookTargetTests : SessionsTest
{
    private static readonly IPAddress Public = IPAddress.Parse("93.184.216.34");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("")]
    [InlineData("example.com/hook")]
    [InlineData("/hook")]
    [InlineData("http://example.com/")]
    [InlineData("ftp://example.com/")]
    [InlineData("file:///etc/passwd")]
    [InlineData("gopher://example.com/")]
    [InlineData("https://user@example.com/")]
    [InlineData("https://user:password@example.com/")]
    [InlineData("https://example.com/#part")]
    [InlineData("https://example.com:22/")]
    [InlineData("https://example.com:80/")]
    [InlineData("https://exa mple.com/")]
    [InlineData("https://example.com/\n")]
    [InlineData("https://")]
    public async Task AUrlThatIsNoPublicHttpsUrl_IsRefused(string url) => await RefusedAsync(Strict(Public), url);

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("127.1")]
    [InlineData("0x7f000001")]
    [InlineData("2130706433")]
    [InlineData("017700000001")]
    [InlineData("0.0.0.0")]
    [InlineData("10.1.2.3")]
    [InlineData("100.64.0.1")]
    [InlineData("169.254.169.254")]
    [InlineData("168.63.129.16")]
    [InlineData("172.16.0.1")]
    [InlineData("192.168.1.1")]
    [InlineData("198.18.0.1")]
    [InlineData("224.0.0.1")]
    [InlineData("255.255.255.255")]
    [InlineData("[::]")]
    [InlineData("[::1]")]
    [InlineData("[::ffff:127.0.0.1]")]
    [InlineData("[::ffff:169.254.169.254]")]
    [InlineData("[64:ff9b::a9fe:a9fe]")]
    [InlineData("[2002:7f00:1::]")]
    [InlineData("[fe80::1]")]
    [InlineData("[fd00:ec2::254]")]
    [InlineData("[ff02::1]")]
    public async Task AnAddressThatIsNotPublic_IsRefused_HoweverItIsSpelled(string host) => await RefusedAsync(Strict(Public), $"https://{host}/");

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("10.0.0.1")]
    [InlineData("169.254.169.254")]
    [InlineData("168.63.129.16")]
    [InlineData("::1")]
    [InlineData("::ffff:10.0.0.1")]
    public async Task ANameThatLeadsToSuchAnAddress_IsRefused_EvenIfItAlsoLeadsToAPublicOne(string address)
    {
        await RefusedAsync(Strict(IPAddress.Parse(address)), "https://hook.example.com/");
        await RefusedAsync(Strict(Public, IPAddress.Parse(address)), "https://hook.example.com/");
    }

    [Fact]
    public async Task ANameThatIsNotFound_IsRefused() => await RefusedAsync(Strict(), "https://hook.example.com/");

    [Fact]
    public async Task AnAddressOfThisHost_IsRefused()
    {
        var own = (await Dns.GetHostAddressesAsync(Dns.GetHostName(), Token)).First();

        await RefusedAsync(Strict(own), "https://hook.example.com/");
    }

    [Fact]
    public async Task ANameThatLeadsElsewhereByTheTimeOfADelivery_IsNotFollowed()
    {
        await using var receiver = await Receiver.StartAsync();
        var replica = Strict(Public);
        var added = await replica.Webhooks.AddAsync("org", $"http://hook.example.com:{receiver.Port}/hook", [], "", Token);

        replica.Resolve = (_, _) => Task.FromResult<IPAddress[]>([IPAddress.Loopback]);
        var alone = await replica.OnDemand.TestAsync("org", added.Webhook.Record.Id, Token);
        replica.Resolve = (_, _) => Task.FromResult<IPAddress[]>([Public, IPAddress.Loopback]);
        var besides = await replica.OnDemand.TestAsync("org", added.Webhook.Record.Id, Token);

        Assert.Equal(["address_refused", "address_refused"], new[] { alone, besides }.Select(d => d.Attempts.Single().Error));
        Assert.Empty(receiver.Asked);
    }

    [Fact]
    public async Task PlainHttpThatIsAllowedNoLonger_IsNotSpoken()
    {
        await using var receiver = await Receiver.StartAsync();
        var added = await One.Webhooks.AddAsync("org", receiver.Url, [], "", Token);
        One.WebhookOptions.AllowHttp = false;

        Assert.Equal("address_refused", (await One.OnDemand.TestAsync("org", added.Webhook.Record.Id, Token)).Attempts.Single().Error);
        Assert.Empty(receiver.Asked);
    }

    [Fact]
    public async Task WhatWasLookedUp_IsWhatIsConnectedTo_AndItIsLookedUpForEachAttempt()
    {
        await using var receiver = await Receiver.StartAsync();
        var asked = 0;
        One.Resolve = (_, _) =>
        {
            asked++;
            return Task.FromResult<IPAddress[]>([IPAddress.Loopback]);
        };
        var added = await One.Webhooks.AddAsync("org", $"http://nowhere.invalid:{receiver.Port}/hook", [], "", Token);

        await One.OnDemand.TestAsync("org", added.Webhook.Record.Id, Token);
        await One.OnDemand.TestAsync("org", added.Webhook.Record.Id, Token);

        Assert.Equal(2, receiver.Taken.Count);
        Assert.Equal(3, asked);
    }

    [Fact]
    public async Task ARedirect_IsNotFollowed()
    {
        await using var inside = await Receiver.StartAsync();
        using var receiver = new RawReceiver($"HTTP/1.1 307 Temporary Redirect\r\nLocation: {inside.Url}\r\nContent-Length: 0\r\n\r\n", null, TimeSpan.Zero);

        var attempt = await TryAsync(receiver.Url);

        Assert.Equal((307, "redirect"), (attempt.Status, attempt.Error));
        Assert.Empty(inside.Asked);
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\n\r\n", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0, 200, null)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n", "a", 20, 200, null)]
    [InlineData("HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\na\r\n", 20, 500, "status")]
    [InlineData("HTTP/1.1 200 OK\r\n", "X-More: 1\r\n", 0, null, "bad_answer")]
    [InlineData("HTTP/1.1 200 OK\r\n", "X", 50, null, "timeout")]
    [InlineData("", "HTTP/1.1 100 Continue\r\n\r\n", 20, null, "timeout")]
    [InlineData("SSH-2.0-OpenSSH_9.2\r\n", null, 0, null, "bad_answer")]
    [InlineData("", null, 0, null, "bad_answer")]
    public async Task ANastyAnswer_TakesNeitherTimeNorMemory(string answer, string? then, int pause, int? status, string? error)
    {
        using var receiver = new RawReceiver(answer, then, TimeSpan.FromMilliseconds(pause));
        var replica = NewReplica(options => options.AnswerPatience = TimeSpan.FromSeconds(1));
        var began = Stopwatch.StartNew();

        var attempt = await TryAsync(receiver.Url, replica);

        Assert.Equal((status, error), (attempt.Status, attempt.Error));
        Assert.True(attempt.Answer.Length <= 1024);
        Assert.True(began.Elapsed < TimeSpan.FromSeconds(20), $"It took {began.Elapsed}.");
    }

    [Fact]
    public async Task NobodyThere_IsAFailedConnection()
    {
        var receiver = await Receiver.StartAsync();
        await receiver.DisposeAsync();

        Assert.Equal("connect_failed", (await TryAsync(receiver.Url)).Error);
    }

    [Fact]
    public async Task ACertificateThatNobodySigned_IsRefused()
    {
        await using var receiver = await Receiver.StartAsync();

        Assert.Equal("tls_failed", (await TryAsync($"https://127.0.0.1:{receiver.Port}/hook")).Error);
        Assert.Empty(receiver.Asked);
    }

    private async Task<Attempt> TryAsync(string url, Replica? replica = null)
    {
        replica ??= One;
        var added = await replica.Webhooks.AddAsync("org", url, [], "", Token);
        return (await replica.OnDemand.TestAsync("org", added.Webhook.Record.Id, Token)).Attempts.Single();
    }

    // As an operator has it who permits nothing, but for the scheme where a test needs a receiver.
    private Replica Strict(params IPAddress[] addresses)
    {
        var replica = NewReplica(options => options.PermittedRanges = []);
        replica.Resolve = (_, _) => Task.FromResult(addresses);
        return replica;
    }

    private static async Task RefusedAsync(Replica replica, string url)
    {
        replica.WebhookOptions.AllowHttp = false;
        var refused = await Assert.ThrowsAsync<RpcException>(() => replica.Webhooks.AddAsync("org", url, [], "", Token));
        Assert.Equal("url", RpcErrors.Read(refused).Violations.Single().Field);
        Assert.Empty(await replica.WebhookStore.ListAsync("org"));
    }
}
