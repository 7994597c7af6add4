using System.Text;
using Corral.GuestLink;
using Corral.Tests.Support;
using Xunit;

namespace Corral.Guest.Tests;

/// <summary>Commands that run whoever listens: followed again, their output and their end are the same.</summary>
public sealed class RunTests(SharedGuest shared)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task A_run_that_its_client_left_goes_on_and_is_followed_from_any_piece()
    {
        var box = await shared.GetAsync();
        await using (var first = await StartAsync(box, "left", "for i in $(seq 1 20); do echo line $i; sleep 0.05; done; exit 7"))
        {
            await first.UntilAsync("line 3\n");
        }

        var whole = await FollowAsync(box, new GuestRequest { Op = "attach", Run = "left" });
        Assert.Equal(string.Concat(Enumerable.Range(1, 20).Select(i => $"line {i}\n")), whole.Text);
        Assert.Equal((0, 7), (whole.From.Sequence, whole.Exit.Code));
        var rest = await FollowAsync(box, new GuestRequest { Op = "attach", Run = "left", After = 5 });
        Assert.Equal(5, rest.From.Sequence);
        Assert.EndsWith(rest.Text, whole.Text, StringComparison.Ordinal);
        Assert.StartsWith("line 6\n", rest.Text, StringComparison.Ordinal);
        Assert.Equal(whole.Exit, rest.Exit);
    }

    [Fact]
    public async Task Both_outputs_come_again_in_the_order_in_which_they_were_written()
    {
        var box = await shared.GetAsync();
        await StartAndLeaveAsync(box, "both", "for i in 1 2 3; do echo out $i; sleep 0.1; echo err $i >&2; sleep 0.1; done");

        var followed = await FollowAsync(box, new GuestRequest { Op = "attach", Run = "both" });
        Assert.Equal("out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n", followed.Text);
        Assert.Equal(6, followed.Pieces);
    }

    [Fact]
    public async Task A_client_that_reads_slowly_loses_nothing_of_a_command()
    {
        var box = await shared.GetAsync();
        await using var stream = await StartAsync(box, "slow", "seq 1 1000000");
        Assert.Equal(Frame.Attached, (await stream.ReadAsync(CancellationToken.None)).Kind);
        var (length, lines) = (0L, 0);
        while (await stream.ReadAsync(CancellationToken.None) is (Frame.Stdout, var piece))
        {
            (length, lines) = (length + piece.Length, lines + piece.Count(b => b == '\n'));
            if (lines < 100_000) await Task.Yield();
        }

        Assert.Equal((6_888_896, 1_000_000), (length, lines));
    }

    [Fact]
    public async Task Without_a_client_a_command_is_not_held_up_and_its_last_mebibyte_is_kept()
    {
        var box = await shared.GetAsync();
        await StartAndLeaveAsync(box, "alone", "seq 1 1000000");

        await Eventually.Async("it has ended", async () => (await OfAsync(box, "alone")).IsOver);
        var followed = await FollowAsync(box, new GuestRequest { Op = "attach", Run = "alone" });
        Assert.True(followed.From.Sequence > 0, "nothing was lost, though there was more than is kept");
        Assert.Equal(6_888_896, followed.From.Offset + followed.Text.Length);
        Assert.InRange(followed.Text.Length, 900_000, 1 << 20);
        Assert.EndsWith("999999\n1000000\n", followed.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_second_client_that_takes_nothing_holds_the_command_up_for_a_moment_only_and_is_told_what_it_missed()
    {
        var box = await shared.GetAsync();
        await using var first = await StartAsync(box, "two", "read start; seq 1 2000000", close: false);
        await using var stuck = await box.Client.AttachAsync(new GuestRequest { Op = "attach", Run = "two" }, CancellationToken.None);
        Assert.Equal(Frame.Attached, (await stuck.ReadAsync(CancellationToken.None)).Kind);
        await first.WriteAsync(Frame.Stdin, "\n"u8.ToArray(), CancellationToken.None);
        await first.WriteAsync(Frame.CloseStdin, default, CancellationToken.None);
        var (pieces, end, knowsAll) = (new HashSet<long>(), 0L, true);
        while (await first.ReadAsync(CancellationToken.None) is { Kind: not Frame.Exit } frame)
        {
            // On a busy machine it may be too slow itself.
            if (frame.Kind == Frame.Skipped) (knowsAll, end) = (false, GuestStream.ParsePosition(frame.Payload).Offset);
            else if (frame.Kind == Frame.Stdout && pieces.Add(end)) end += frame.Payload.Length;
        }

        var (seen, at, skipped) = (0L, 0L, false);
        while (await stuck.ReadAsync(CancellationToken.None) is { Kind: not Frame.Exit } frame)
        {
            if (frame.Kind == Frame.Skipped)
            {
                (skipped, at) = (true, GuestStream.ParsePosition(frame.Payload).Offset);
                Assert.True(pieces.Contains(at) || !knowsAll, "what comes next is no whole piece");
            }
            else
            {
                (seen, at) = (seen + frame.Payload.Length, at + frame.Payload.Length);
            }
        }

        Assert.Equal(14_888_896, end);
        Assert.True(skipped, "it was not told");
        Assert.Equal(14_888_896, at);
        Assert.InRange(seen, 1, 14_888_895);
    }

    [Fact]
    public async Task A_terminal_is_held_up_by_nobody_and_goes_on_for_its_next_viewer()
    {
        var box = await shared.GetAsync();
        await using var stuck = await box.Client.RunAsync(Terminal("screen"), CancellationToken.None);
        await stuck.UntilAsync("> ");
        await TypeAsync(stuck, "seq 1 3000000; echo do''ne\r");
        await using var viewer = await box.Client.AttachAsync(new GuestRequest { Op = "attach", Run = "screen", Session = "", Length = 1000 }, CancellationToken.None);
        await TailAsync(viewer, "done\r\n> ");
        await TypeAsync(viewer, "exit 3\r");
        Assert.Equal(3, (await ReadAsync(viewer)).Exit.Code);
    }

    [Fact]
    public async Task A_viewer_that_comes_back_gets_what_it_missed_to_the_byte()
    {
        var box = await shared.GetAsync();
        await using var stays = await box.Client.RunAsync(Terminal("again"), CancellationToken.None);
        var session = GuestStream.ParsePosition((await stays.ReadAsync(CancellationToken.None)).Payload).Session;
        await TypeAsync(stays, "echo one; echo two\r");
        await stays.UntilAsync("two\r\n> ");
        var all = await PeekAsync(box, new GuestRequest { Op = "attach", Run = "again", Session = "", Length = 100_000 }, "two\r\n> ");
        for (var offset = 1; offset < all.Length; offset++)
        {
            await using var back = await box.Client.AttachAsync(new GuestRequest { Op = "attach", Run = "again", Session = session, Offset = offset }, CancellationToken.None);
            Assert.Equal(offset, GuestStream.ParsePosition((await back.ReadAsync(CancellationToken.None)).Payload).Offset);
            Assert.Equal(all[offset..], await RestAsync(back, all.Length - offset));
        }

        await TypeAsync(stays, "exit\r");
        await ReadAsync(stays);
    }

    [Fact]
    public async Task All_viewers_hear_of_a_new_size()
    {
        var box = await shared.GetAsync();
        await using var one = await box.Client.RunAsync(Terminal("sizes"), CancellationToken.None);
        await one.UntilAsync("> ");
        await using var other = await box.Client.AttachAsync(new GuestRequest { Op = "attach", Run = "sizes", Session = "" }, CancellationToken.None);
        Assert.Equal(80, GuestStream.ParsePosition((await other.ReadAsync(CancellationToken.None)).Payload).Columns);
        await other.WriteAsync(Frame.Resize, GuestClient.SizeOf(120, 40), CancellationToken.None);
        foreach (var viewer in new[] { one, other })
        {
            (byte Kind, byte[] Payload) frame;
            do frame = await viewer.ReadAsync(new CancellationTokenSource(Patience).Token);
            while (frame.Kind != Frame.Resized);
            Assert.Equal((120, 40), GuestStream.ParseSize(frame.Payload));
        }

        await TypeAsync(one, "stty size; exit\r");
        Assert.Contains("40 120", (await ReadAsync(one)).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_command_whose_input_was_cut_short_is_killed_and_no_success()
    {
        var box = await shared.GetAsync();
        await using (var stream = await StartAsync(box, "cut", "cat > /tmp/half", close: false))
        {
            await stream.WriteAsync(Frame.Stdin, "half"u8.ToArray(), CancellationToken.None);
        }

        Assert.Equal(9, (await FollowAsync(box, new GuestRequest { Op = "attach", Run = "cut" })).Exit.Signal);
    }

    [Fact]
    public async Task A_time_limit_holds_without_a_client()
    {
        var box = await shared.GetAsync();
        await StartAndLeaveAsync(box, "late", "sleep 3020", timeout: 300);

        Assert.True((await FollowAsync(box, new GuestRequest { Op = "attach", Run = "late" })).Exit.TimedOut);
    }

    [Fact]
    public async Task A_signal_reaches_a_run_through_any_client()
    {
        var box = await shared.GetAsync();
        await using var stream = await StartAsync(box, "signalled", "trap 'echo caught; exit 4' TERM; echo ready; while true; do sleep 0.05; done");
        await stream.UntilAsync("ready");
        await using var other = await box.Client.AttachAsync(new GuestRequest { Op = "attach", Run = "signalled", Quiet = true }, CancellationToken.None);
        await other.WriteAsync(Frame.Signal, new byte[] { 15 }, CancellationToken.None);
        var quiet = await ReadAsync(other);
        Assert.Equal(("", 4), (quiet.Text, quiet.Exit.Code));
        Assert.Equal(4, (await ReadAsync(stream)).Exit.Code);
    }

    [Fact]
    public async Task A_name_is_one_commands_and_one_that_is_over_gives_way_where_asked()
    {
        var box = await shared.GetAsync();
        await using var stream = await StartAsync(box, "named", "read x", close: false);
        Assert.Equal("run_exists", await Running.CodeAsync(async () => await ReadAsync(await StartAsync(box, "named", "true"))));
        await stream.WriteAsync(Frame.CloseStdin, default, CancellationToken.None);
        await ReadAsync(stream);
        Assert.Equal("run_exists", await Running.CodeAsync(async () => await ReadAsync(await StartAsync(box, "named", "true"))));
        await using var next = await box.Client.RunAsync(Running.Shell("echo next") with { Run = "named", Flag = true }, CancellationToken.None);
        await next.WriteAsync(Frame.CloseStdin, default, CancellationToken.None);
        Assert.Equal("next\n", (await ReadAsync(next)).Text);
        Assert.Equal("no_run", await Running.CodeAsync(() => FollowAsync(box, new GuestRequest { Op = "attach", Run = "never" })));
    }

    [Fact]
    public async Task The_longest_name_that_callers_may_give_is_one()
    {
        var box = await shared.GetAsync();
        await using var stream = await StartAsync(box, "exec:" + new string('n', 64), "echo named");
        Assert.Equal("named\n", (await ReadAsync(stream)).Text);
    }

    [Fact]
    public async Task A_command_that_cannot_be_started_leaves_nothing()
    {
        var box = await shared.GetAsync();
        Assert.Equal("not_found", await Running.CodeAsync(async () => await ReadAsync(await box.Client.RunAsync(Running.Shell("true") with { Run = "nowhere", Path = "/nowhere" }, CancellationToken.None))));
        Assert.DoesNotContain(await box.Client.RunsAsync(CancellationToken.None), run => run.Run == "nowhere");
    }

    [Fact]
    public async Task The_number_of_runs_is_bounded_and_the_oldest_ends_are_forgotten_first()
    {
        await using var box = await GuestBox.StartAsync();
        for (var i = 0; i < 140; i++) await FollowAsync(box, Running.Shell($"echo {i}") with { Op = "run", Run = $"run-{i}", TimeoutMs = 60_000 }, close: true);
        var kept = await box.Client.RunsAsync(CancellationToken.None);
        Assert.Equal(Enumerable.Range(12, 128).Select(i => $"run-{i}"), kept.Select(run => run.Run).Order(Comparer<string>.Create((a, b) => int.Parse(a[4..]) - int.Parse(b[4..]))));
        Assert.InRange(box.Status("VmRSS"), 1, 24 * 1024);
        await Eventually.Async("no threads are left of runs that are over", () => box.Status("Threads") < 10);
    }

    private static GuestRequest Terminal(string name) => new()
    {
        Op = "run", Run = name, Command = ["/bin/bash", "--norc", "--noprofile"], Columns = 80, Rows = 24, Environment = new Dictionary<string, string> { ["PS1"] = "> ", ["TERM"] = "dumb" },
    };

    private static async Task<GuestStream> StartAsync(GuestBox box, string name, string line, bool close = true, long timeout = 60_000)
    {
        var stream = await box.Client.RunAsync(Running.Shell(line) with { Run = name, TimeoutMs = timeout }, CancellationToken.None);
        if (close)
        {
            // Heard before a client that leaves at once is gone.
            await stream.WriteAsync(Frame.CloseStdin, default, CancellationToken.None);
        }

        return stream;
    }

    // What has said where it begins is known by its name.
    private static async Task StartAndLeaveAsync(GuestBox box, string name, string line, long timeout = 60_000)
    {
        await using var stream = await StartAsync(box, name, line, timeout: timeout);
        Assert.Equal(Frame.Attached, (await stream.ReadAsync(CancellationToken.None)).Kind);
    }

    private static async Task<GuestRun> OfAsync(GuestBox box, string name) => (await box.Client.RunsAsync(CancellationToken.None)).First(run => run.Run == name);

    private static async Task<Followed> FollowAsync(GuestBox box, GuestRequest request, bool close = false)
    {
        await using var stream = request.Op == "run" ? await box.Client.RunAsync(request, CancellationToken.None) : await box.Client.AttachAsync(request, CancellationToken.None);
        if (close) await stream.WriteAsync(Frame.CloseStdin, default, CancellationToken.None);
        return await ReadAsync(stream);
    }

    private static async Task<Followed> ReadAsync(GuestStream stream)
    {
        using var patience = new CancellationTokenSource(Patience);
        using var text = new MemoryStream();
        var (from, pieces) = (new GuestPosition(), 0);
        while (true)
        {
            var (kind, payload) = await stream.ReadAsync(patience.Token);
            if (kind == Frame.Exit) return new Followed(from, Encoding.UTF8.GetString(text.ToArray()), pieces, GuestStream.ParseExit(payload));
            if (kind == Frame.Attached) from = GuestStream.ParsePosition(payload);
            if (kind is not (Frame.Stdout or Frame.Stderr)) continue;
            pieces++;
            text.Write(payload);
        }
    }

    private static async Task<string> PeekAsync(GuestBox box, GuestRequest request, string until)
    {
        await using var stream = await box.Client.AttachAsync(request, CancellationToken.None);
        await stream.ReadAsync(CancellationToken.None);
        return await stream.UntilAsync(until);
    }

    private static async Task TailAsync(GuestStream stream, string end)
    {
        using var patience = new CancellationTokenSource(Patience);
        var tail = "";
        while (!tail.EndsWith(end, StringComparison.Ordinal))
        {
            tail += Encoding.UTF8.GetString((await stream.ReadAsync(patience.Token)).Payload);
            tail = tail[^Math.Min(tail.Length, end.Length)..];
        }
    }

    private static async Task<string> RestAsync(GuestStream stream, int length)
    {
        using var patience = new CancellationTokenSource(Patience);
        var text = "";
        while (text.Length < length) text += Encoding.ASCII.GetString((await stream.ReadAsync(patience.Token)).Payload);
        return text;
    }

    private static Task TypeAsync(GuestStream stream, string text) => stream.WriteAsync(Frame.Stdin, Encoding.UTF8.GetBytes(text), CancellationToken.None);

    private sealed record Followed(GuestPosition From, string Text, int Pieces, GuestExit Exit);
}
