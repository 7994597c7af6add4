using Corral.NodeAgent.Sandboxes;
using Xunit;

namespace Corral.NodeAgent.Tests;

/// <summary>What is kept of sandboxes that are over.</summary>
public sealed class FeedTests
{
    [Fact]
    public async Task Of_an_end_that_was_acknowledged_nothing_is_kept_though_an_earlier_one_was_not()
    {
        using var feed = new SandboxFeed();
        await PublishAsync(feed, "sbx-never");

        var id = await PassAsync(feed);
        GC.Collect();

        Assert.False(id.TryGetTarget(out _));
        Assert.Equal(["sbx-never"], feed.Restart(() => []).Select(view => view.SandboxId));
    }

    [Fact]
    public async Task When_nobody_listens_the_oldest_ends_give_way()
    {
        using var feed = new SandboxFeed();

        for (var i = 0; i <= 10_000; i++) await PublishAsync(feed, $"sbx-{i}");

        var kept = feed.Restart(() => []);
        Assert.Equal((10_000, "sbx-1", "sbx-10000"), (kept.Count, kept[0].SandboxId, kept[^1].SandboxId));
    }

    private static async Task<WeakReference<string>> PassAsync(SandboxFeed feed)
    {
        var id = new string("sbx-over".AsSpan());
        await PublishAsync(feed, id);
        feed.Acknowledge(id, 1);
        return new WeakReference<string>(id);
    }

    private static async Task PublishAsync(SandboxFeed feed, string id)
    {
        feed.Publish(new SandboxView(id, 1, "org-test", SandboxPhase.Ended, "runc", 0, 0));
        await feed.TakeAsync(CancellationToken.None);
    }
}
