using Corral.NodeAgent.Runtimes;
using Corral.NodeAgent.Sandboxes;
using Corral.Tests.Support;
using Xunit;

namespace Corral.NodeAgent.Tests;

/// <summary>Boxes made ahead.</summary>
public sealed class WarmPoolTests
{
    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task A_claim_takes_a_warm_box_that_nobody_had_before(string isolation)
    {
        RequiredHost.Check(isolation);
        await using var node = await TestNode.StartAsync();
        var seen = new HashSet<string>();
        for (var round = 0; round < 3; round++)
        {
            await WarmAsync(node, isolation, 1);
            var order = node.Order(isolation);
            Assert.True(Assert.IsType<StartOutcome.Running>(await node.Table.StartAsync(order, CancellationToken.None)).Warm);
            var box = node.Table.Find(order.SandboxId)!;
            Assert.True(seen.Add(box.Name), "the box had a tenant before");
            Assert.Equal("clean", await node.UserShAsync(box, "test -e /workspace/mark || echo clean; touch /workspace/mark"));
            await node.Table.EndAsync(order.SandboxId, 1, CancellationToken.None);
        }

        node.Get<WarmPool>().SetTargets([]);
        await EmptyAsync(node);
    }

    [Fact]
    public async Task Other_limits_than_the_usual_start_cold()
    {
        RequiredHost.Check("runc");
        await using var node = await TestNode.StartAsync();
        await WarmAsync(node, "runc", 1);
        var order = node.Order("runc", BoxLimits.Default with { MemoryBytes = 1 << 30 });
        Assert.False(Assert.IsType<StartOutcome.Running>(await node.Table.StartAsync(order, CancellationToken.None)).Warm);
    }

    [Fact]
    public async Task A_warm_box_of_a_changed_template_is_not_given_away()
    {
        RequiredHost.Check("runc");
        var templates = Directory.CreateTempSubdirectory("corral-templates").FullName;
        var (root, guest) = (Path.Combine(TestTemplate.Home, "root"), TestTemplate.GuestBinary);
        TestTemplate.Describe(templates, "base", "old", root, guest);
        await using var node = await TestNode.StartAsync(templates: templates);
        await WarmAsync(node, "runc", 1);
        TestTemplate.Describe(templates, "base", "new", root, guest);
        File.SetLastWriteTimeUtc(Path.Combine(templates, "base.json"), new DateTime(2040, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        var order = node.Order("runc");
        var box = await node.RunAsync(order);
        Assert.Equal("new", box.Record.Digest);
        Directory.Delete(templates, recursive: true);
    }

    private static async Task WarmAsync(TestNode node, string isolation, int count)
    {
        var kind = new WarmKind("base", isolation);
        node.Get<WarmPool>().SetTargets([KeyValuePair.Create(kind, count)]);
        await Eventually.Async("the pool is warm", () => node.Get<WarmPool>().Counts().GetValueOrDefault(kind) >= count);
    }

    private static Task EmptyAsync(TestNode node) => Eventually.Async("nothing is left of the pool", () => Footprint.Of(node).Length == 0);
}
