using System.Net;
using System.Net.Sockets;
using Corral.Egress.Tests.Lab;
using Corral.Egress.V1;
using Grpc.Core;
using Xunit;

namespace Corral.Egress.Tests;

/// <summary>Taking gates and letting them go.</summary>
public sealed class GateTests(EgressLab lab)
{
    private static readonly Policy Usual = TestBox.Custom("allowed.test");

    [Fact]
    public async Task GateThatIsNotAttached_LetsNothingOut()
    {
        using var box = await lab.NewBoxAsync();
        await Assert.ThrowsAsync<SocketException>(() => box.ConnectAsync(Outside.Allowed, Outside.Echo));
        await Assert.ThrowsAsync<SocketException>(() => box.AskAsync("allowed.test"));
    }

    [Fact]
    public async Task NodesOwnConnections_ReachTheBoxFromItsGate()
    {
        using var box = await lab.BoxAsync(TestBox.DenyAll());
        using var listener = await box.Inside.ListenAsync(new IPEndPoint(IPAddress.Any, 1024));
        using var node = await box.Gate.SocketAsync(SocketType.Stream);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        await node.ConnectAsync(new IPEndPoint(IPAddress.Parse("100.64.0.2"), 1024), patience.Token);
        using var accepted = new TestClient(await listener.AcceptAsync(patience.Token));
        await node.SendAsync("hello\n"u8.ToArray());
        Assert.Equal("hello\n", await accepted.ReadAsync(6));
        await accepted.SendAsync("again\n");
        Assert.Equal("again\n", await new TestClient(node).ReadAsync(6));
    }

    [Fact]
    public async Task AttachedAgain_TheSameAuthorityAnswers_AndConnectionsStay()
    {
        using var box = await lab.NewBoxAsync();
        var authority = await box.AttachAsync(Usual);
        using var client = await box.ConnectAsync("allowed.test", Outside.Echo);
        Assert.Equal("hello\n", await client.AskAsync("hello\n"));
        Assert.Equal(authority, await box.AttachAsync(Usual));
        Assert.Equal("again\n", await client.AskAsync("again\n"));
        Assert.Contains("BEGIN CERTIFICATE", authority, StringComparison.Ordinal);
    }

    [Fact]
    public async Task PreparedGate_LetsNothingOut_AndItsSandboxGetsTheSameAuthority()
    {
        using var box = await lab.NewBoxAsync();
        var prepared = await box.PrepareAsync();
        Assert.Equal(prepared, await box.PrepareAsync());
        await Assert.ThrowsAsync<SocketException>(() => box.ConnectAsync(Outside.Allowed, Outside.Echo));
        Assert.Equal(prepared, await box.AttachAsync(Usual));
        Assert.NotEqual(prepared, await box.AttachAsync(Usual, generation: 2));
    }

    [Fact]
    public async Task GateThatIsNotThere_IsNotPrepared()
    {
        using var box = await lab.NewBoxAsync();
        var problem = await Assert.ThrowsAsync<RpcException>(() => box.PrepareAsync("/nowhere/at/all"));
        Assert.Equal(StatusCode.FailedPrecondition, problem.StatusCode);
    }

    [Fact]
    public async Task AttachedAgainWithANewerPolicy_ItIsInForce()
    {
        using var box = await lab.BoxAsync(Usual);
        var newer = TestBox.Custom("other.test");
        newer.Version = 2;
        await box.AttachAsync(newer);
        Assert.Equal(3, (await box.AskAsync("allowed.test")).Code);
        Assert.Equal(0, (await box.AskAsync("other.test")).Code);
    }

    [Fact]
    public async Task LaterAttempt_TakesTheGateOver_AndAnEarlierOneDoesNotGetItBack()
    {
        using var box = await lab.NewBoxAsync();
        var first = await box.AttachAsync(Usual);
        using var client = await box.ConnectAsync("allowed.test", Outside.Echo);
        Assert.Equal("hello\n", await client.AskAsync("hello\n"));
        Assert.NotEqual(first, await box.AttachAsync(Usual, generation: 2));
        Assert.Equal("reset", await client.ReadAllAsync());
        var problem = await Assert.ThrowsAsync<RpcException>(() => box.AttachAsync(Usual));
        Assert.Equal(StatusCode.FailedPrecondition, problem.StatusCode);
        await box.DetachAsync(generation: 1);
        Assert.Equal(0, (await box.AskAsync("allowed.test")).Code);
    }

    [Fact]
    public async Task Detached_EverythingIsClosed_AndNothingIsOpenedAnyMore()
    {
        using var box = await lab.BoxAsync(Usual);
        using var client = await box.ConnectAsync("allowed.test", Outside.Echo);
        Assert.Equal("hello\n", await client.AskAsync("hello\n"));
        var address = await box.AddressOfAsync("allowed.test");
        await box.DetachAsync();
        Assert.Equal("reset", await client.ReadAllAsync());
        await Assert.ThrowsAsync<SocketException>(() => box.ConnectAsync(address, Outside.Echo));
        await box.DetachAsync();
        Assert.Equal("DETACHED", (await box.AuditOfAsync("the end", r => r.Kind == AuditKind.Connection)).Reason);
    }

    [Fact]
    public async Task DetachedAndAttachedAgain_ItWorksAgain()
    {
        using var box = await lab.BoxAsync(Usual);
        for (var generation = 1; generation < 4; generation++)
        {
            Assert.Equal("hello\n", await box.TryAsync(await box.AddressOfAsync("allowed.test"), Outside.Echo, "hello\n"));
            await box.DetachAsync(generation);
            await box.AttachAsync(Usual, generation + 1);
        }
    }

    [Fact]
    public async Task ServiceThatStops_LetsNothingOut_AndTheNextOneContinuesWithTheSameAddresses()
    {
        var home = lab.NewHome();
        using var box = await lab.NewBoxAsync();
        IPAddress address;
        await using (var first = await RunningEgress.StartAsync(home))
        {
            await first.Client.AttachAsync(box.Order(Usual));
            address = await box.AddressOfAsync("allowed.test");
            Assert.Equal("hello\n", await box.TryAsync(address, Outside.Echo, "hello\n"));
        }

        await Assert.ThrowsAsync<SocketException>(() => box.ConnectAsync(address, Outside.Echo));
        await using var second = await RunningEgress.StartAsync(home);
        await second.Client.AttachAsync(box.Order(Usual));
        Assert.Equal(address, await box.AddressOfAsync("allowed.test"));
        Assert.Equal("hello\n", await box.TryAsync(address, Outside.Echo, "hello\n"));
    }

    [Fact]
    public async Task WatchOfGates_TellsThemOnce_AndEndsWithTheService()
    {
        var egress = await RunningEgress.StartAsync(lab.NewHome());
        try
        {
            using var box = await lab.BoxAsync(Usual, egress);
            using var watch = egress.Client.WatchAttached(new WatchAttachedRequest());
            Assert.True(await watch.ResponseStream.MoveNext(CancellationToken.None));
            var gate = Assert.Single(watch.ResponseStream.Current.Gates);
            Assert.Equal((box.Id, 1, 1), (gate.SandboxId, gate.Generation, gate.PolicyVersion));
            var next = watch.ResponseStream.MoveNext(CancellationToken.None);
            await egress.DisposeAsync();
            Assert.False(await next.ContinueWith(task => task.IsCompletedSuccessfully && task.Result, TaskScheduler.Default));
        }
        finally
        {
            await egress.DisposeAsync();
        }
    }

    [Theory]
    [InlineData("/nowhere/gate", "GATE_NOT_USABLE")]
    [InlineData("/proc/self/ns/net", "GATE_NOT_USABLE")]
    [InlineData("/proc/self/ns/mnt", "GATE_NOT_USABLE")]
    [InlineData("/etc/hostname", "GATE_NOT_USABLE")]
    [InlineData("relative", "INVALID_ARGUMENT")]
    public async Task WhatIsNoGate_IsNotAttached(string path, string reason)
    {
        using var box = await lab.NewBoxAsync();
        var order = box.Order(Usual);
        order.GateNamespace = path;
        var problem = await Assert.ThrowsAsync<RpcException>(async () => await lab.Egress.Client.AttachAsync(order));
        Assert.Equal(reason, Hosting.RpcErrors.Read(problem).Reason);
    }

    [Fact]
    public async Task GateOfAnotherSandbox_IsNotTaken()
    {
        using var box = await lab.BoxAsync(Usual);
        var order = box.Order(TestBox.AllowAll());
        order.SandboxId = "sbx-thief";
        await Assert.ThrowsAsync<RpcException>(async () => await lab.Egress.Client.AttachAsync(order));
        Assert.Equal(3, (await box.AskAsync("evil.test")).Code);
    }

    [Theory]
    [InlineData("../../etc/x")]
    [InlineData("")]
    [InlineData("Sbx")]
    [InlineData("a\nb")]
    public async Task IdThatIsNone_IsRefused(string id)
    {
        lab.RequireHost();
        var problem = await Assert.ThrowsAsync<RpcException>(async () => await lab.Egress.Client.ListAuditAsync(new ListAuditRequest { SandboxId = id }));
        Assert.Equal(StatusCode.InvalidArgument, problem.StatusCode);
    }

    [Fact]
    public async Task TwoBoxesWithTheSameAddresses_AreKeptApart()
    {
        using var first = await lab.BoxAsync(TestBox.Custom("allowed.test"));
        using var second = await lab.BoxAsync(TestBox.Custom("other.test"));
        var address = await first.AddressOfAsync("allowed.test");
        Assert.Equal("hello\n", await first.TryAsync(address, Outside.Echo, "hello\n"));
        Assert.Equal("reset", await second.TryAsync(address, Outside.Echo, "hello\n"));
        Assert.DoesNotContain(await second.AuditAsync(), r => r.Name == "allowed.test");
    }
}
