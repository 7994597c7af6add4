using System.Diagnostics;
using Corral.NodeAgent.Sandboxes;
using Xunit;

namespace Corral.NodeAgent.Tests;

/// <summary>The node-agent is killed: sandboxes live on and are adopted; what was half made is gone.</summary>
public sealed class CrashTests
{
    [Theory]
    [InlineData("runc", 0)]
    [InlineData("runc", 5)]
    [InlineData("runc", 15)]
    [InlineData("runsc", 0)]
    [InlineData("runsc", 40)]
    public async Task A_node_killed_mid_start_comes_back_with_its_sandboxes_and_nothing_else(string isolation, int millisecondsInto)
    {
        RequiredHost.Check(isolation);
        _ = TestTemplate.Home;
        var home = TestNode.NewHome();
        using var child = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, ["node", home, isolation, "1"])
        {
            RedirectStandardOutput = true,
        })!;
        try
        {
            Assert.Equal("running 1", await NextAsync(child));
            Assert.Equal("starting", await NextAsync(child));
            // Any moment will do: the assertions hold whatever was under way.
            await Task.Delay(millisecondsInto);
        }
        finally
        {
            child.Kill();
            await child.WaitForExitAsync();
        }

        await using var node = await TestNode.StartAsync(home);
        var there = node.Table.List();
        Assert.Contains(there, view => view.SandboxId == "sbx-crash1");
        foreach (var view in there)
        {
            Assert.Equal(SandboxPhase.Running, view.Phase);
            Assert.Equal("alive", await node.UserShAsync(node.Table.Find(view.SandboxId)!, "echo alive"));
            Assert.IsType<StartOutcome.Running>(await node.Table.StartAsync(node.Order(isolation, id: view.SandboxId), CancellationToken.None));
            await node.Table.EndAsync(view.SandboxId, 1, CancellationToken.None);
        }

        Assert.Equal("", Footprint.Of(node));
    }

    [Fact]
    public async Task A_node_that_stops_in_order_leaves_its_sandboxes_running()
    {
        RequiredHost.Check("runc");
        var home = TestNode.NewHome();
        string first;
        await using (var node = await TestNode.StartAsync(home, keep: true))
        {
            var box = await node.RunAsync(node.Order("runc", id: "sbx-stays"));
            await node.UserShAsync(box, "echo kept > /workspace/note");
            first = box.Name;
        }

        await using var next = await TestNode.StartAsync(home);
        var adopted = next.Table.Find("sbx-stays");
        Assert.Equal(first, adopted?.Name);
        Assert.Equal("kept", await next.UserShAsync(adopted!, "cat /workspace/note"));
    }

    [Fact]
    public async Task A_sandbox_that_died_while_no_node_ran_is_cleaned_up()
    {
        RequiredHost.Check("runc");
        var home = TestNode.NewHome();
        await using (var node = await TestNode.StartAsync(home, keep: true))
        {
            var box = await node.RunAsync(node.Order("runc", id: "sbx-dies"));
            _ = Corral.NodeAgent.Host.Libc.kill(box.Record.Pid, Corral.NodeAgent.Host.Libc.SigKill);
        }

        await using var next = await TestNode.StartAsync(home);
        Assert.Null(next.Table.Find("sbx-dies"));
        Assert.Equal("", Footprint.Of(next));
    }

    private static async Task<string?> NextAsync(Process child)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (await child.StandardOutput.ReadLineAsync(patience.Token) is { } line)
        {
            if (line.StartsWith("running", StringComparison.Ordinal) || line is "starting" || line.StartsWith("failed", StringComparison.Ordinal)) return line;
        }

        return null;
    }
}
