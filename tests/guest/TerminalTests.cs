using System.Text;
using Corral.GuestLink;
using Corral.Tests.Support;
using Xunit;

namespace Corral.Guest.Tests;

public sealed class TerminalTests(SharedGuest shared)
{
    private static GuestRequest Shell => new() { Op = "exec", Command = ["/bin/bash", "--norc", "--noprofile"], Columns = 80, Rows = 24, Environment = new Dictionary<string, string> { ["PS1"] = "> " } };

    [Fact]
    public async Task A_terminal_is_one_in_every_way_that_programs_ask()
    {
        var box = await shared.GetAsync();
        var ran = await box.RunAsync(Running.Shell("tty; test -t 0 && test -t 1 && test -t 2 && echo all; echo $TERM; stty size; echo > /dev/tty && echo controlling") with { Columns = 100, Rows = 30 });
        Assert.Contains("/dev/pts/", ran.Out, StringComparison.Ordinal);
        foreach (var said in (string[])["all", "xterm-256color", "30 100", "controlling"]) Assert.Contains(said, ran.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Typing_resizing_and_ctrl_c_work_and_ctrl_d_ends_it()
    {
        var box = await shared.GetAsync();
        await using var stream = await box.Client.ExecAsync(Shell, CancellationToken.None);
        await stream.UntilAsync("> ");
        await TypeAsync(stream, "echo gr\u00fc\u00df$((40 + 2))\r");
        await stream.UntilAsync("gr\u00fc\u00df42");
        await TypeAsync(stream, "trap 'stty size' WINCH; echo trap$((40 + 2))\r");
        await stream.UntilAsync("trap42");
        await stream.WriteAsync(Frame.Resize, GuestClient.SizeOf(132, 50), CancellationToken.None);
        await TypeAsync(stream, "\r");
        await stream.UntilAsync("50 132");
        await TypeAsync(stream, "sleep 3011\r");
        await Eventually.Async("it sleeps", async () => (await box.ShAsync("pgrep -cxf 'sleep 3011'")).Out.Trim() == "1");
        await TypeAsync(stream, "\u0003");
        await TypeAsync(stream, "echo interrupted=$?\r");
        await stream.UntilAsync("interrupted=130");
        await TypeAsync(stream, "exit 5\r");
        Assert.Equal(5, (await stream.EndAsync()).Exit.Code);
    }

    [Fact]
    public async Task Closing_the_input_is_ctrl_d()
    {
        var box = await shared.GetAsync();
        await using var stream = await box.Client.ExecAsync(Shell, CancellationToken.None);
        await stream.UntilAsync("> ");
        await stream.WriteAsync(Frame.CloseStdin, default, CancellationToken.None);
        Assert.Equal(0, (await stream.EndAsync()).Exit.Code);
    }

    [Fact]
    public async Task A_command_that_ends_at_once_loses_none_of_its_output()
    {
        var box = await shared.GetAsync();
        for (var round = 0; round < 30; round++)
        {
            var ran = await box.RunAsync(Running.Shell("seq 1 5000; echo last") with { Columns = 80, Rows = 24 });
            Assert.EndsWith("5000\r\nlast\r\n", ran.Out, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_broken_connection_ends_what_runs_in_the_terminal()
    {
        var box = await shared.GetAsync();
        await using (var stream = await box.Client.ExecAsync(Shell, CancellationToken.None))
        {
            await stream.UntilAsync("> ");
            await TypeAsync(stream, "sleep 3010\r");
            await Eventually.Async("it runs", async () => (await box.ShAsync("pgrep -cxf 'sleep 3010'")).Out.Trim() == "1");
        }

        await Eventually.Async("it is gone", async () => (await box.ShAsync("pgrep -cxf 'sleep 3010'")).Out.Trim() == "0");
    }

    private static Task TypeAsync(GuestStream stream, string text) => stream.WriteAsync(Frame.Stdin, Encoding.UTF8.GetBytes(text), CancellationToken.None);
}
