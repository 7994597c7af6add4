using Corral.Api.V1;
using Corral.GuestLink;
using Corral.NodeAgent.Commands;
using Corral.NodeAgent.Runtimes;
using Corral.NodeAgent.Sandboxes;
using Xunit;

namespace Corral.NodeAgent.Tests;

/// <summary>What a sandbox may use: greed is stopped inside, and the sandbox still answers.</summary>
public sealed class LimitTests(SharedNode shared)
{
    private static readonly BoxLimits Small = new(1, 256 << 20, 64 << 20, 64);

    [Fact]
    public async Task A_memory_hog_is_stopped_and_the_sandbox_still_answers()
    {
        var node = await shared.GetAsync("runc");
        var order = node.Order("runc", Small);
        var box = await node.RunAsync(order);
        // tail keeps it all, because there is no line end.
        Assert.Equal("stopped", await node.UserShAsync(box, "head -c 600000000 /dev/zero | tail -n 1 > /dev/null 2>&1 && echo grew || echo stopped"));
        Assert.Equal("alive", await node.UserShAsync(box, "echo alive"));
        Assert.False(box.IsDead);
        await node.Table.EndAsync(order.SandboxId, 1, CancellationToken.None);
    }

    [Fact]
    public async Task A_command_that_memory_ran_out_for_is_told_apart_from_one_that_was_killed()
    {
        var node = await shared.GetAsync("runc");
        var order = node.Order("runc", Small);
        var box = await node.RunAsync(order);
        var greedy = await RunAsync("exec perl -e '$_ = \"x\" x (1 << 20); push @all, $_ . 1 while 1'");
        Assert.Equal((true, 9, 137), (greedy.OutOfMemory, greedy.Signal, greedy.Code));
        var killed = await RunAsync("kill -9 $$");
        Assert.Equal((false, 9, 137), (killed.OutOfMemory, killed.Signal, killed.Code));
        await node.Table.EndAsync(order.SandboxId, 1, CancellationToken.None);

        Task<CommandExit> RunAsync(string line) => node.Get<CommandRunner>().RunAsync(
            box, CommandSpec.Of(new RunRequest { Command = line }), (_, _) => ValueTask.CompletedTask, CancellationToken.None);
    }

    [Fact]
    public async Task Many_small_hogs_do_not_take_the_guest_along()
    {
        var node = await shared.GetAsync("runc");
        var order = node.Order("runc", Small);
        var box = await node.RunAsync(order);
        // Each of them smaller than the guest itself, as the kernel counts.
        await node.UserShAsync(box, "perl -e 'for (1..60) { next if fork; $_ = \"x\" x (1 << 20); for (1..6) { push @a, $_ . 1; select undef, undef, undef, 0.2 } exit } 1 while wait > 0'");
        Assert.False(box.IsDead);
        Assert.Equal("alive", await node.UserShAsync(box, "echo alive"));
        await node.Table.EndAsync(order.SandboxId, 1, CancellationToken.None);
    }

    [Fact]
    public async Task On_gvisor_a_memory_hog_ends_its_own_sandbox_and_no_other()
    {
        var node = await shared.GetAsync("runsc");
        var (greedy, other) = (node.Order("runsc", Small), node.Order("runsc", Small));
        var box = await node.RunAsync(greedy);
        var neighbour = await node.RunAsync(other);
        await Assert.ThrowsAsync<GuestException>(() => node.UserShAsync(box, "head -c 2000000000 /dev/zero | tail -n 1 > /dev/null"));
        Assert.Equal(BoxDeath.OutOfMemory, await box.Died.WaitAsync(TimeSpan.FromSeconds(60)));
        Assert.Equal("alive", await node.UserShAsync(neighbour, "echo alive"));
        await node.Table.EndAsync(greedy.SandboxId, 1, CancellationToken.None);
        await node.Table.EndAsync(other.SandboxId, 1, CancellationToken.None);
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task A_fork_bomb_is_stopped_and_root_can_clean_up(string isolation)
    {
        var node = await shared.GetAsync(isolation);
        var order = node.Order(isolation, Small);
        var box = await node.RunAsync(order);
        var bomb = await node.UserShAsync(box, "perl -e 'my $n = 0; while ($n < 500) { my $p = fork; last unless defined $p; if (!$p) { close STDOUT; close STDERR; sleep 300; exit } $n++ } print $n'");
        Assert.InRange(int.Parse(bomb, System.Globalization.CultureInfo.InvariantCulture), 1, 64);
        Assert.Equal("cleaned", await node.ShAsync(box, "perl -e 'for (glob \"/proc/[0-9]*\") { my $u = (stat)[4]; kill 9, substr($_, 6) if defined $u && $u == 1000 } print \"cleaned\"'"));
        Assert.Equal("alive", await node.UserShAsync(box, "echo alive"));
        await node.Table.EndAsync(order.SandboxId, 1, CancellationToken.None);
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task A_full_disk_is_full_inside_only(string isolation)
    {
        var node = await shared.GetAsync(isolation);
        var order = node.Order(isolation, Small);
        var box = await node.RunAsync(order);
        Assert.Equal("full", await node.UserShAsync(box, "dd if=/dev/zero of=/workspace/big bs=1M count=200 conv=fsync 2>/dev/null && echo wrote || echo full"));
        Assert.Equal("freed", await node.UserShAsync(box, "rm /workspace/big && echo freed"));
        var next = node.Order(isolation, Small);
        Assert.Equal("ok", await node.UserShAsync(await node.RunAsync(next), "dd if=/dev/zero of=/workspace/some bs=1M count=8 conv=fsync 2>/dev/null && echo ok"));
        await node.Table.EndAsync(order.SandboxId, 1, CancellationToken.None);
        await node.Table.EndAsync(next.SandboxId, 1, CancellationToken.None);
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task Usage_is_measured(string isolation)
    {
        var node = await shared.GetAsync(isolation);
        var order = node.Order(isolation, Small);
        var box = await node.RunAsync(order);
        await node.UserShAsync(box, "dd if=/dev/zero of=/workspace/some bs=1M count=8 conv=fsync 2>/dev/null; sync");
        var usage = await node.Get<UsageReader>().ReadAsync(box, CancellationToken.None);
        Assert.True(usage.Used.Cpu > TimeSpan.Zero, "no processor time");
        Assert.InRange(usage.Used.MemoryBytes, 1, Small.MemoryBytes);
        Assert.InRange(usage.Used.Processes, 1, 1000);
        Assert.NotNull(usage.DiskBytes);
        await node.Table.EndAsync(order.SandboxId, 1, CancellationToken.None);
    }
}
