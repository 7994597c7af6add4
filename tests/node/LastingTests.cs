using System.Text;
using Corral.Api.V1;
using Corral.GuestLink;
using Corral.NodeAgent.Commands;
using Corral.NodeAgent.Sandboxes;
using Corral.NodeAgent.Terminals;
using Corral.Tests.Support;
using Xunit;

namespace Corral.NodeAgent.Tests;

/// <summary>Commands that outlive their callers and their node-agent, and the tokens of terminals.</summary>
public sealed class LastingTests(SharedNode shared)
{
    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task A_command_outlives_its_node_and_is_counted_and_told_by_the_next(string isolation)
    {
        RequiredHost.Check(isolation);
        var home = TestNode.NewHome();
        await using (var node = await TestNode.StartAsync(home, keep: true))
        {
            var box = await node.RunAsync(node.Order(isolation, id: "sbx-lasts"));
            var left = await node.Get<LastingCommands>().StartAsync(box, Spec("read go < /workspace/go; echo went; exit 5", "mkfifo /workspace/go; "), "exec:one", (_, _) => Task.FromResult<GuestExit?>(null));
            Assert.Null(left);
            await Eventually.Async("it waits", async () => await node.UserShAsync(box, "[ -p /workspace/go ] && echo there") == "there");
            Assert.Equal(1, box.RunningCommands);
        }

        await using var next = await TestNode.StartAsync(home);
        var adopted = next.Table.Find("sbx-lasts")!;
        Assert.Equal(1, adopted.RunningCommands);
        await next.UserShAsync(adopted, "echo > /workspace/go");
        var (exit, text) = await FollowAsync(next, adopted, "exec:one");
        Assert.Equal((5, "went\n"), (exit!.Value.Code, text));
        await Eventually.Async("it is counted no more", () => adopted.RunningCommands == 0);
    }

    [Fact]
    public async Task A_command_that_memory_ran_out_for_is_told_so_however_often_it_is_asked_for()
    {
        var node = await shared.GetAsync("runc");
        var order = node.Order("runc", new Runtimes.BoxLimits(1, 256 << 20, 64 << 20, 64));
        var box = await node.RunAsync(order);
        await node.Get<LastingCommands>().StartAsync(box, Spec("exec perl -e '$_ = \"x\" x (1 << 20); push @all, $_ . 1 while 1'"), "exec:greedy", (_, _) => Task.FromResult<GuestExit?>(null));
        for (var i = 0; i < 2; i++)
        {
            var (exit, _) = await FollowAsync(node, box, "exec:greedy");
            Assert.Equal((true, 9, 137), (exit!.Value.OutOfMemory, exit.Value.Signal, exit.Value.Code));
        }

        await node.Table.EndAsync(order.SandboxId, 1, CancellationToken.None);
    }

    [Fact]
    public async Task An_input_is_given_whole_though_the_caller_left()
    {
        var node = await shared.GetAsync("runc");
        var order = node.Order("runc");
        var box = await node.RunAsync(order);
        var input = new byte[3_000_000];
        var spec = Spec("sleep 0.3; wc -c") with { Stdin = input };
        await node.Get<LastingCommands>().StartAsync(box, spec, "exec:fed", (_, _) => Task.FromResult<GuestExit?>(null));
        var (exit, text) = await FollowAsync(node, box, "exec:fed");
        Assert.Equal((0, "3000000\n"), (exit!.Value.Code, text));
        await node.Table.EndAsync(order.SandboxId, 1, CancellationToken.None);
    }

    [Fact]
    public async Task A_token_opens_its_terminal_for_a_while_and_nothing_else()
    {
        var node = await shared.GetAsync("runc");
        var (one, other) = (node.Order("runc"), node.Order("runc"));
        var (box, neighbour) = (await node.RunAsync(one), await node.RunAsync(other));
        var clock = new Shifted();
        var tokens = new TerminalTokens(clock);
        var (token, expires) = tokens.Make(box, "key-test", "main");
        Assert.True(tokens.Opens(box, "main", token));
        Assert.True(node.Get<TerminalTokens>().Opens(box, "main", token), "another node-agent does not know it");
        Assert.False(tokens.Opens(neighbour, "main", token));
        Assert.False(tokens.Opens(box, "other", token));
        for (var i = 0; i < token.Length; i++) Assert.False(tokens.Opens(box, "main", token[..i] + (token[i] == '0' ? '1' : '0') + token[(i + 1)..]));
        foreach (var nonsense in (string[])["", "~", "~~~~", "org-test~key-test~main~99999999999~", token[..^1], token + "0"]) Assert.False(tokens.Opens(box, "main", nonsense));
        clock.Shift = expires - clock.GetUtcNow();
        Assert.False(tokens.Opens(box, "main", token));
        await node.Table.EndAsync(one.SandboxId, 1, CancellationToken.None);
        await node.Table.EndAsync(other.SandboxId, 1, CancellationToken.None);
    }

    private static CommandSpec Spec(string line, string before = "") => CommandSpec.Of(new StreamRequest { Command = before + line });

    private static async Task<(CommandExit? Exit, string Text)> FollowAsync(TestNode node, Box box, string run)
    {
        var text = new StringBuilder();
        var exit = await node.Get<LastingCommands>().AttachAsync(box, new GuestRequest { Op = "attach", Run = run }, async (stream, _) =>
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
            while (true)
            {
                var (kind, payload) = await stream.ReadAsync(patience.Token);
                if (kind == Frame.Exit) return GuestStream.ParseExit(payload);
                text.Append(Encoding.UTF8.GetString(payload));
            }
        });
        return (exit, text.ToString());
    }

    private sealed class Shifted : TimeProvider
    {
        public TimeSpan Shift { get; set; }

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Shift;
    }
}
