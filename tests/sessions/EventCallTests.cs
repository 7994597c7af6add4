using Corral.Api.V1;
using Corral.Hosting;
using Corral.Sessions.Events;
using Corral.Sessions.Grpc;
using Corral.Tests.Support;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Xunit;

namespace Corral.Sessions.Tests;

/// <summary>Events as callers ask for them.</summary>
public sealed class EventCallTests : SessionsTest
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task AListing_GoesOnFromItsCursor_AndTellsWhatWasMissed()
    {
        await using var host = await Host.StartAsync(One, new EventOptions { MostKept = 3 }, Clock);
        var caller = host.As("org");
        for (var i = 0; i < 5; i++)
        {
            await host.Log.AppendAsync("org", EventTypes.SandboxReady, "sbx-a", new EventFacts { Id = "sbx-a", Status = "ready" });
        }

        var all = await host.Client.ListEventsAsync(new ListEventsRequest { Limit = 2 }, caller);
        var behind = await host.Client.ListEventsAsync(new ListEventsRequest { After = 1 }, caller);
        var rest = await host.Client.ListEventsAsync(new ListEventsRequest { After = all.NextAfter }, caller);
        var nothing = await host.Client.ListEventsAsync(new ListEventsRequest { After = 5 }, caller);

        Assert.Equal([3, 4], all.Items.Select(e => e.Sequence));
        Assert.Equal((4, 0), (all.NextAfter, all.Missed));
        Assert.Equal((3, 5L, 1L), (behind.Items.Count, behind.NextAfter, behind.Missed));
        Assert.Equal((5, 0), (rest.Items.Single().Sequence, rest.Missed));
        Assert.Equal((0, 5L, 0L), (nothing.Items.Count, nothing.NextAfter, nothing.Missed));
        Assert.Equal((SandboxState.Ready, "sbx-a"), (all.Items[0].Data.Status, all.Items[0].SandboxId));
        Assert.Empty((await host.Client.ListEventsAsync(new ListEventsRequest(), host.As("other"))).Items);
    }

    [Fact]
    public async Task AWatcherThatFellBehind_IsToldOfTheGap_AndGoesOn()
    {
        await using var host = await Host.StartAsync(One, new EventOptions { MostKept = 3 }, Clock);
        for (var i = 0; i < 5; i++)
        {
            await host.Log.AppendAsync("org", EventTypes.SandboxReady, "", new EventFacts { Id = "x" });
        }

        using var watch = host.Client.WatchEvents(new WatchEventsRequest { After = 1 }, host.As("org"), cancellationToken: Token);
        await watch.ResponseStream.MoveNext(Token);
        Assert.Equal(new EventGap { Sequence = 2, Missed = 1 }, watch.ResponseStream.Current.Gap);
        for (var sequence = 3; sequence <= 6; sequence++)
        {
            if (sequence == 6)
            {
                await host.Log.AppendAsync("org", EventTypes.SandboxReady, "", new EventFacts { Id = "x" });
            }

            Assert.True(await watch.ResponseStream.MoveNext(Token));
            Assert.Equal(sequence, watch.ResponseStream.Current.Event.Sequence);
        }
    }

    [Fact]
    public async Task AWatcherThatSaysNothing_SeesWhatHappensFromNowOn_OfItsSandbox()
    {
        await using var host = await Host.StartAsync(One, new EventOptions(), Clock);
        var created = await One.CreateAsync();
        await One.UntilAsync(created.Id, SandboxState.Ready);
        var before = await host.Log.LastAsync("org");

        using var watch = host.Client.WatchEvents(new WatchEventsRequest { SandboxId = created.Id }, host.As("org"), cancellationToken: Token);
        var first = watch.ResponseStream.MoveNext(Token);
        await Eventually.Async("it has seen one", async () =>
        {
            await host.Log.AppendAsync("org", EventTypes.SandboxReady, "sbx-other", new EventFacts { Id = "sbx-other" });
            await host.Log.AppendAsync("org", EventTypes.SandboxReady, created.Id, new EventFacts { Id = created.Id });
            return first.IsCompleted;
        });

        Assert.True(await first);
        Assert.Equal(created.Id, watch.ResponseStream.Current.Event.SandboxId);
        Assert.True(watch.ResponseStream.Current.Event.Sequence > before);
    }

    [Theory]
    [InlineData(-1, 100, "", StatusCode.InvalidArgument)]
    [InlineData(7, 100, "", StatusCode.InvalidArgument)]
    [InlineData(0, 0, "", StatusCode.InvalidArgument)]
    [InlineData(0, 1001, "", StatusCode.InvalidArgument)]
    [InlineData(0, 100, "sbx-abcdefghijklmnopqrstuvwxyz", StatusCode.NotFound)]
    [InlineData(0, 100, "nonsense", StatusCode.NotFound)]
    public async Task WhatCannotBeMeant_IsRefused(long after, int limit, string sandboxId, StatusCode code)
    {
        await using var host = await Host.StartAsync(One, new EventOptions(), Clock);

        var refused = await Assert.ThrowsAsync<RpcException>(() => host.Client.ListEventsAsync(
            new ListEventsRequest { After = after, Limit = limit, SandboxId = sandboxId }, host.As("org")).ResponseAsync);

        Assert.Equal(code, refused.StatusCode);
    }

    [Fact]
    public async Task AnotherOrganisationsSandbox_IsNotFound()
    {
        await using var host = await Host.StartAsync(One, new EventOptions(), Clock);
        var created = await One.CreateAsync();

        var refused = await Assert.ThrowsAsync<RpcException>(() => host.Client.ListEventsAsync(new ListEventsRequest { SandboxId = created.Id }, host.As("other")).ResponseAsync);

        Assert.Equal(StatusCode.NotFound, refused.StatusCode);
        Assert.NotEmpty((await host.Client.ListEventsAsync(new ListEventsRequest { SandboxId = created.Id }, host.As("org"))).Items);
    }

    /// <summary>The service, over a socket, on a replica's parts.</summary>
    private sealed class Host(WebApplication app, GrpcChannel channel, EventLog log) : IAsyncDisposable
    {
        public EventLog Log => log;

        public EventService.EventServiceClient Client { get; } = new(channel);

        public static async Task<Host> StartAsync(Replica replica, EventOptions options, TimeProvider clock)
        {
            var name = Ids.New("events-");
            var log = new EventLog(replica.Redis, Options.Create(options), clock);
            var builder = CorralHost.CreateBuilder([], name);
            builder.Logging.ClearProviders();
            builder.Services.AddSingleton(log);
            builder.Services.AddSingleton(replica.Store);
            builder.Services.AddSingleton(replica.WatchOf(log));
            var app = builder.Build();
            app.MapCorral();
            app.MapGrpcService<EventGrpcService>();
            await app.StartAsync(Token);
            return new Host(app, ChannelPool.Open("unix:" + CorralPaths.Socket(name)), log);
        }

        public Metadata As(string organization) => new CallerIdentity(organization, "key", [], "request").ToMetadata();

        public async ValueTask DisposeAsync()
        {
            channel.Dispose();
            using var atOnce = new CancellationTokenSource(TimeSpan.Zero);
            await app.StopAsync(atOnce.Token);
            await app.DisposeAsync();
        }
    }
}
