using Corral.Api.V1;
using Corral.Hosting;
using Corral.Scheduler.V1;
using Corral.Sessions.Grpc;
using Corral.Sessions.Nodes;
using Corral.Tests.Support;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Corral.Sessions.Tests;

/// <summary>Nodes that are drained: what runs there goes on until the deadline, and is then ended with the reason.</summary>
public sealed class DrainTests : SessionsTest
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task WhatRunsOnADrainedNode_IsEndedAtTheDeadline_AndNothingElse()
    {
        await using var scheduler = new FakeHost();
        var admin = new FakeNodeAdmin();
        await scheduler.StartAsync(admin);
        using var channels = new ChannelPool();
        var drained = new DrainedNodes(new NodeAdminService.NodeAdminServiceClient(channels.Get(scheduler.Address)), One.Store, One.Due, One.Ender, Clock);
        var there = await One.CreateAsync();
        await One.UntilAsync(there.Id, SandboxState.Ready);
        var elsewhere = await ReadyOnTheOtherNodeAsync();
        admin.Nodes = [FakeNodeAdmin.Node("a", 1, Drain(TimeSpan.FromMinutes(5))), FakeNodeAdmin.Node("b", 1)];

        await drained.EndAsync(Token);
        Clock.Now += TimeSpan.FromMinutes(5) - TimeSpan.FromMilliseconds(1);
        await drained.EndAsync(Token);
        Assert.Equal(SandboxState.Ready, (await One.Store.FindAsync("org", there.Id))!.Record.State);

        Clock.Now += TimeSpan.FromMilliseconds(1);
        await Task.WhenAll(drained.EndAsync(Token), drained.EndAsync(Token));
        var ended = await One.UntilAsync(there.Id, SandboxState.Ended);

        Assert.Equal(("operator", "A new kernel."), (ended.EndReason, ended.FailureReason));
        Assert.Equal(["created", "assigned", "ready", "ending", "ended"], await EventsAsync(there.Id));
        Assert.Equal(SandboxState.Ready, (await One.Store.FindAsync("org", elsewhere))!.Record.State);
    }

    [Fact]
    public async Task WhatFailedOnADrainedNode_AndWaitsForAnother_IsNotEndedWithIt()
    {
        await using var scheduler = new FakeHost();
        await scheduler.StartAsync(new FakeNodeAdmin { Nodes = [FakeNodeAdmin.Node("a", 1, Drain(TimeSpan.Zero))] });
        using var channels = new ChannelPool();
        var drained = new DrainedNodes(new NodeAdminService.NodeAdminServiceClient(channels.Get(scheduler.Address)), One.Store, One.Due, One.Ender, Clock);
        Fleet.Calls.Before = name =>
        {
            if (name == "start")
            {
                Fleet.Scheduler.Full = true;
                throw RpcErrors.ResourceExhausted("NODE_FULL", "This node has no room.");
            }

            return Task.CompletedTask;
        };
        var created = await One.CreateAsync();
        await Eventually.Async("it waits for another node", async () =>
            (await One.Store.FindAsync("org", created.Id))!.Record is { State: SandboxState.Queued, NodeId: "a" });

        await drained.EndAsync(Token);

        Assert.Equal(SandboxState.Queued, (await One.Store.FindAsync("org", created.Id))!.Record.State);
    }

    [Fact]
    public async Task ADrainWithoutADeadline_EndsNothing()
    {
        await using var scheduler = new FakeHost();
        await scheduler.StartAsync(new FakeNodeAdmin { Nodes = [FakeNodeAdmin.Node("a", 1, new NodeDrain { Reason = "A new kernel." })] });
        using var channels = new ChannelPool();
        var drained = new DrainedNodes(new NodeAdminService.NodeAdminServiceClient(channels.Get(scheduler.Address)), One.Store, One.Due, One.Ender, Clock);
        var there = await One.CreateAsync();
        await One.UntilAsync(there.Id, SandboxState.Ready);

        Clock.Now += TimeSpan.FromMinutes(30);
        await drained.EndAsync(Token);

        Assert.Equal(SandboxState.Ready, (await One.Store.FindAsync("org", there.Id))!.Record.State);
    }

    [Fact]
    public async Task OnlyTheOperator_SeesAndDrainsNodes()
    {
        await using var scheduler = new FakeHost();
        var admin = new FakeNodeAdmin { Nodes = [FakeNodeAdmin.Node("a", 0, new NodeDrain { Reason = "A new kernel." })] };
        await scheduler.StartAsync(admin);
        using var channels = new ChannelPool();
        var builder = CorralHost.CreateBuilder([], "fleet-test");
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(new NodeAdminService.NodeAdminServiceClient(channels.Get(scheduler.Address)));
        await using var app = builder.Build();
        app.MapCorral();
        app.MapGrpcService<FleetGrpcService>();
        await app.StartAsync(Token);
        using var channel = ChannelPool.Open("unix:" + CorralPaths.Socket("fleet-test"));
        var fleet = new FleetService.FleetServiceClient(channel);
        var drain = new Api.V1.DrainNodeRequest { NodeId = "a", Reason = "A new kernel.", DeadlineMs = 60_000 };

        var listed = (await fleet.ListNodesAsync(new Api.V1.ListNodesRequest(), As("key-bootstrap"))).Items.Single();
        var before = Clock.GetUtcNow();
        await fleet.DrainNodeAsync(drain, As("key-bootstrap"));
        var refused = await Assert.ThrowsAsync<RpcException>(() => fleet.DrainNodeAsync(drain, As("key-other")).ResponseAsync);
        var endless = await Assert.ThrowsAsync<RpcException>(() => fleet.DrainNodeAsync(new Api.V1.DrainNodeRequest { NodeId = "a" }, As("key-bootstrap")).ResponseAsync);
        await app.StopAsync(Token);

        Assert.Equal(("a", true, true, 10), (listed.NodeId, listed.Cordoned, listed.Drain.Done, listed.MaxSandboxes));
        Assert.Equal(("a", "A new kernel."), (admin.Drained!.NodeId, admin.Drained.Drain.Reason));
        Assert.InRange(admin.Drained.Drain.Deadline.ToDateTimeOffset(), before + TimeSpan.FromSeconds(50), before + TimeSpan.FromSeconds(120));
        Assert.Equal(StatusCode.PermissionDenied, refused.StatusCode);
        Assert.Equal("reason", RpcErrors.Read(endless).Violations.Single().Field);
    }

    private NodeDrain Drain(TimeSpan left) => new() { Reason = "A new kernel.", Deadline = (Clock.Now + left).ToTimestamp() };

    private async Task<string> ReadyOnTheOtherNodeAsync()
    {
        var failed = false;
        Fleet.Calls.Before = name =>
        {
            if (name == "start" && !failed)
            {
                failed = true;
                throw RpcErrors.Internal("START_FAILED", "No such luck.");
            }

            return Task.CompletedTask;
        };
        await One.WorkAsync();
        var created = await One.CreateAsync();
        await Corral.Tests.Support.Eventually.Async("it is ready on the other node", async () =>
        {
            Clock.Now += TimeSpan.FromMilliseconds(100);
            return (await One.Store.FindAsync("org", created.Id))!.Record is { State: SandboxState.Ready, NodeId: "b" };
        });
        return created.Id;
    }

    private static Metadata As(string keyId) => new CallerIdentity("org", keyId, [], "request").ToMetadata();
}
