using Corral.GuestLink;
using Corral.NodeAgent.Commands;
using Corral.NodeAgent.Host;
using Corral.NodeAgent.Networks;
using Corral.NodeAgent.Runtimes;
using Corral.NodeAgent.Sandboxes;
using Corral.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Corral.NodeAgent.Tests;

/// <summary>Starting and ending, idempotently, without leaving anything.</summary>
public sealed class LifeTests(SharedNode shared)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task Many_lives_leave_nothing_behind(string isolation)
    {
        var node = await shared.GetAsync(isolation);
        var lives = int.TryParse(Environment.GetEnvironmentVariable("CORRAL_SOAK"), out var soak) ? soak : 20;
        Assert.Equal("", Footprint.Of(node));
        await Parallel.ForEachAsync(Enumerable.Range(0, lives), new ParallelOptions { MaxDegreeOfParallelism = 4 }, async (_, _) =>
        {
            var order = node.Order(isolation);
            var box = await node.RunAsync(order);
            Assert.Equal("hello", await node.UserShAsync(box, "echo hello > /workspace/f; cat /workspace/f"));
            await node.Table.EndAsync(order.SandboxId, 1, CancellationToken.None);
        });
        Assert.Equal("", Footprint.Of(node));
        Assert.InRange(Footprint.Mounts(node), 2, 2 + (2 * 4));
    }

    [Fact]
    public async Task Who_starts_the_same_generation_again_gets_the_same_box()
    {
        var node = await shared.GetAsync("runc");
        var order = node.Order("runc");
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => node.Table.StartAsync(order, CancellationToken.None)));
        Assert.All(outcomes, outcome => Assert.IsType<StartOutcome.Running>(outcome));
        Assert.Single(node.Table.List(), view => view.SandboxId == order.SandboxId);
        await node.Table.EndAsync(order.SandboxId, 1, CancellationToken.None);
    }

    [Fact]
    public async Task A_newer_generation_replaces_an_older_one_which_then_stays_away()
    {
        var node = await shared.GetAsync("runc");
        var first = node.Order("runc");
        var old = await node.RunAsync(first);
        var fresh = await node.RunAsync(first with { Generation = 2 });
        Assert.NotEqual(old.Name, fresh.Name);
        Assert.IsType<StartOutcome.Stale>(await node.Table.StartAsync(first, CancellationToken.None));
        await node.Table.EndAsync(first.SandboxId, 1, CancellationToken.None);
        Assert.NotNull(node.Table.Find(first.SandboxId));
        await node.Table.EndAsync(first.SandboxId, 2, CancellationToken.None);
        await node.Table.EndAsync(first.SandboxId, 2, CancellationToken.None);
        Assert.Null(node.Table.Find(first.SandboxId));
        Assert.IsType<StartOutcome.Stale>(await node.Table.StartAsync(first with { Generation = 2 }, CancellationToken.None));
    }

    [Fact]
    public async Task An_end_that_overtakes_its_start_wins()
    {
        var node = await shared.GetAsync("runc");
        var order = node.Order("runc");
        var starting = node.Table.StartAsync(order, CancellationToken.None);
        await node.Table.EndAsync(order.SandboxId, 1, CancellationToken.None);
        await starting;
        Assert.Null(node.Table.Find(order.SandboxId));
        Assert.Equal("", Footprint.Of(node));
    }

    [Fact]
    public async Task A_network_that_nobody_waits_for_any_more_is_given_back()
    {
        RequiredHost.Check("runc");
        await using var node = await TestNode.StartAsync(configure: options => options.PreparedNetworks = 1);
        await Eventually.Async("the node has prepared its networks", () => node.Get<NetworkPool>().Ready == 1);
        await using var pool = new NetworkPool(node.Get<NodePaths>(), node.Get<NodeOptions>(), TimeProvider.System, NullLogger<NetworkPool>.Instance);
        var before = pool.List().Count;

        for (var i = 0; i < 4; i++) await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await pool.TakeAsync(new CancellationToken(canceled: true)));
        // Made after them: theirs are made by then.
        for (var i = 0; i < 4; i++) (await pool.TakeAsync(CancellationToken.None)).Dispose();

        await Eventually.Async("those of the others are gone", () => pool.List().Count == before + 4);
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task What_is_asked_of_a_sandbox_that_ends_is_lost(string isolation)
    {
        var node = await shared.GetAsync(isolation);
        var order = node.Order(isolation);
        var box = await node.RunAsync(order);
        using var patience = new CancellationTokenSource(Patience);

        var code = node.Get<CodeRunner>().RunAsync(box, "echo begun; sleep 1000", "sh", null, async (_, _) => await node.Table.EndAsync(order.SandboxId, 1, CancellationToken.None), patience.Token);

        Assert.Equal("lost", (await Assert.ThrowsAsync<GuestException>(() => code)).Code);
        Assert.Equal("lost", (await Assert.ThrowsAsync<GuestException>(() => box.Guest.PingAsync(patience.Token))).Code);
    }

    [Fact]
    public async Task What_cannot_be_started_leaves_nothing()
    {
        RequiredHost.Check("runc");
        var templates = Directory.CreateTempSubdirectory("corral-templates").FullName;
        TestTemplate.Describe(templates, "base", "broken", Path.Combine(TestTemplate.Home, "root"), "/usr/share/dict");
        TestTemplate.Describe(templates, "base", "broken", Path.Combine(TestTemplate.Home, "root"), "/etc/passwd"); // not a program
        await using var node = await TestNode.StartAsync(templates: templates);
        foreach (var isolation in RequiredHost.Isolations.Where(isolation => node.Get<RuntimeCatalog>().Find(isolation) is not null))
        {
            var order = node.Order(isolation, BoxLimits.Default);
            Assert.IsType<StartOutcome.Failed>(await node.Table.StartAsync(order, CancellationToken.None));
        }

        Assert.Equal("", Footprint.Of(node));
        Assert.Empty(node.Table.List());
        Directory.Delete(templates, recursive: true);
    }

    [Fact]
    public async Task Unknown_templates_isolations_and_a_full_node_are_told_apart()
    {
        RequiredHost.Check("runc");
        await using var node = await TestNode.StartAsync(configure: options => options.MaxSandboxes = 1);
        Assert.IsType<StartOutcome.UnknownTemplate>(await node.Table.StartAsync(node.Order("runc") with { Template = "../etc" }, CancellationToken.None));
        Assert.IsType<StartOutcome.UnknownIsolation>(await node.Table.StartAsync(node.Order("chroot"), CancellationToken.None));
        var only = node.Order("runc");
        await node.RunAsync(only);
        Assert.IsType<StartOutcome.Full>(await node.Table.StartAsync(node.Order("runc"), CancellationToken.None));
        await node.Table.EndAsync(only.SandboxId, 1, CancellationToken.None);
        await node.RunAsync(node.Order("runc"));
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task A_sandbox_that_dies_is_told_of_and_cleaned_up(string isolation)
    {
        await using var node = await OwnAsync(isolation);
        var order = node.Order(isolation);
        var box = await node.RunAsync(order);
        _ = Libc.kill(box.Record.Pid, Libc.SigKill);
        var end = await UntilAsync(node, view => view.SandboxId == order.SandboxId && SandboxFeed.IsEnd(view));
        Assert.Equal(SandboxPhase.Exited, end.Phase);
        Assert.Equal("EXITED", end.Death!.Reason);
        Assert.Equal("", Footprint.Of(node));
    }

    [Fact]
    public async Task A_guest_killed_for_memory_is_told_as_such()
    {
        await using var node = await OwnAsync("runc");
        var order = node.Order("runc", new BoxLimits(1, 64 << 20, 64 << 20, 64));
        var box = await node.RunAsync(order);
        // So little that nobody inside can stay.
        node.Get<Host.Cgroups.ICgroups>().SetLimits(box.Name, new Host.Cgroups.CgroupLimits(1, 64 << 20, 64));
        await node.ShAsync(box, "head -c 300000000 /dev/zero | tail -n 1 > /dev/null 2>&1; true");
        Assert.True(node.Get<Host.Cgroups.ICgroups>().OutOfMemoryKills(box.Name) > 0, "nothing was killed for memory");
        _ = Libc.kill(box.Record.Pid, Libc.SigKill);
        var end = await UntilAsync(node, view => view.SandboxId == order.SandboxId && SandboxFeed.IsEnd(view));
        Assert.Equal("OUT_OF_MEMORY", end.Death!.Reason);
    }

    [Fact]
    public async Task Plain_runc_serves_where_crun_does_not()
    {
        RequiredHost.Check("runc");
        if (HostProcess.Find("runc") is null) Assert.Skip("runc is not installed.");
        await using var node = await TestNode.StartAsync(configure: options => options.HostKernelRuntime = "runc");
        var order = node.Order("runc");
        var status = await node.ShAsync(await node.RunAsync(order), "cat /proc/self/status /proc/self/uid_map");
        Assert.Contains("Seccomp:\t2", status, StringComparison.Ordinal);
        Assert.Contains("100000", status, StringComparison.Ordinal);
        await node.Table.EndAsync(order.SandboxId, 1, CancellationToken.None);
        Assert.Equal("", Footprint.Of(node));
    }

    private static Task<TestNode> OwnAsync(string isolation)
    {
        RequiredHost.Check(isolation);
        return TestNode.StartAsync();
    }

    private static async Task<SandboxView> UntilAsync(TestNode node, Func<SandboxView, bool> seen)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (true)
        {
            var view = await node.Get<SandboxFeed>().TakeAsync(patience.Token);
            if (seen(view)) return view;
        }
    }
}
