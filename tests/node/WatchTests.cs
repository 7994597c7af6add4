using System.Threading.Channels;
using Corral.Api.V1;
using Corral.GuestLink;
using Corral.NodeAgent.Grpc;
using Corral.NodeAgent.Sandboxes;
using Corral.Tests.Support;
using Microsoft.Extensions.Hosting;
using Xunit;

namespace Corral.NodeAgent.Tests;

/// <summary>Files that are watched, in real sandboxes.</summary>
public sealed class WatchTests(SharedNode shared)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task Changes_are_told_until_the_client_leaves(string isolation)
    {
        var node = await shared.GetAsync(isolation);
        var order = node.Order(isolation);
        var box = await node.RunAsync(order);
        await node.UserShAsync(box, "mkdir -p /workspace/site/css; echo 1 > /workspace/site/index.html");
        await using (var watch = Watch.Begin(box, "site", recursive: true))
        {
            Assert.Equal("watching site", await watch.NextAsync());
            await node.UserShAsync(box, "echo 2 >> site/index.html");
            await watch.SeesAsync("modified /workspace/site/index.html");
            await node.UserShAsync(box, "echo 1 > site/css/new.css; mkdir -p site/img/icons; echo 1 > site/img/icons/a.svg; mv site/css/new.css site/css/old.css; rm -r site/img");
            await watch.SeesAsync("created /workspace/site/css/new.css");
            await watch.SeesAsync("created /workspace/site/img");
            await watch.SeesAsync("deleted /workspace/site/css/new.css");
            await watch.SeesAsync("created /workspace/site/css/old.css");
            await watch.SeesAsync("deleted /workspace/site/img");
        }

        await Eventually.Async("the guest watches no more", async () => await node.ShAsync(box, "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c '\"Op\":\"[w]atch\"'") == "0");
        await node.Table.EndAsync(order.SandboxId, 1, CancellationToken.None);
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task With_its_sandbox_a_watch_ends(string isolation)
    {
        var node = await shared.GetAsync(isolation);
        var order = node.Order(isolation);
        var box = await node.RunAsync(order);
        await using var watch = Watch.Begin(box, "/workspace", recursive: false);
        Assert.Equal("watching /workspace", await watch.NextAsync());
        await node.Table.EndAsync(order.SandboxId, 1, CancellationToken.None);
        await watch.Running.WaitAsync(Patience);
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task What_is_not_there_cannot_be_watched(string isolation)
    {
        var node = await shared.GetAsync(isolation);
        var order = node.Order(isolation);
        await using var watch = Watch.Begin(await node.RunAsync(order), "nowhere", recursive: false);
        Assert.Equal("not_found", (await Assert.ThrowsAsync<GuestException>(() => watch.Running)).Code);
        await node.Table.EndAsync(order.SandboxId, 1, CancellationToken.None);
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task A_slow_client_is_told_of_its_loss_and_the_sandbox_works_on(string isolation)
    {
        var node = await shared.GetAsync(isolation);
        var order = node.Order(isolation);
        var box = await node.RunAsync(order);
        await using var watch = Watch.Begin(box, "/workspace", recursive: false);
        await watch.NextAsync();
        await node.UserShAsync(box, "perl -e 'for (1..40000) { my $n = \"a-name-that-is-rather-long-so-that-buffers-fill-$_\"; open my $f, \">\", $n or die; close $f; unlink $n }'; touch end");
        Assert.Equal("alive", await node.UserShAsync(box, "echo alive"));
        await watch.SeesAsync("overflow");
        await watch.SeesAsync("created /workspace/end");
        await node.Table.EndAsync(order.SandboxId, 1, CancellationToken.None);
    }

    /// <summary>A watch that is read only as far as its owner asks.</summary>
    private sealed class Watch : IAsyncDisposable
    {
        private readonly CancellationTokenSource _over = new();
        private readonly Channel<WatchFilesResponse> _told = Channel.CreateBounded<WatchFilesResponse>(1);

        private Watch(Box box, string path, bool recursive) =>
            Running = new FileWatches(new Lifetime(), TimeProvider.System)
                .RunAsync(box, path, recursive, (response, cancel) => _told.Writer.WriteAsync(response, cancel).AsTask(), _over.Token);

        /// <summary>Completes when the watch has ended.</summary>
        public Task Running { get; }

        public static Watch Begin(Box box, string path, bool recursive) => new(box, path, recursive);

        public async Task<string> NextAsync()
        {
            using var patience = new CancellationTokenSource(Patience);
            var next = await _told.Reader.ReadAsync(patience.Token);
            return next.EventCase switch
            {
                WatchFilesResponse.EventOneofCase.Watching => "watching " + next.Watching.Path,
                WatchFilesResponse.EventOneofCase.Change => $"{next.Change.Kind.ToString().ToLowerInvariant()} {next.Change.Path}",
                _ => "overflow",
            };
        }

        public async Task SeesAsync(string change)
        {
            var seen = new List<string>();
            try
            {
                while (seen.Count == 0 || seen[^1] != change) seen.Add(await NextAsync());
            }
            catch (OperationCanceledException)
            {
                Assert.Fail($"waited in vain for '{change}'; there was: {string.Join(", ", seen.TakeLast(20))}");
            }
        }

        public async ValueTask DisposeAsync()
        {
            await _over.CancelAsync();
            await Running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _over.Dispose();
        }
    }

    private sealed class Lifetime : IHostApplicationLifetime
    {
        public CancellationToken ApplicationStarted => CancellationToken.None;

        public CancellationToken ApplicationStopping => CancellationToken.None;

        public CancellationToken ApplicationStopped => CancellationToken.None;

        public void StopApplication()
        {
        }
    }
}
