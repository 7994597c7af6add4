using System.Diagnostics;

using System.Text.Json;
using Corral.GuestLink;
using Corral.Tests.Support;
using Xunit;

namespace Corral.Guest.Tests;

/// <summary>Commands: how they end, what they read and write, and what becomes of them when nobody listens.</summary>
public sealed class ExecTests(SharedGuest shared)
{
    [Theory]
    [InlineData("true", 0, 0)]
    [InlineData("exit 7", 7, 0)]
    [InlineData("exit 255", 255, 0)]
    [InlineData("kill -9 $$", 0, 9)]
    [InlineData("kill -TERM $$", 0, 15)]
    [InlineData("/nothing/of/that/name 2>/dev/null", 127, 0)]
    public async Task An_end_is_told_as_it_was(string line, int code, int signal)
    {
        var box = await shared.GetAsync();
        var ran = await box.ShAsync(line);
        Assert.Equal((code, signal, false, ""), (ran.Exit.Code, ran.Exit.Signal, ran.Exit.TimedOut, ran.Err));
    }

    [Fact]
    public async Task A_program_that_is_not_there_is_127()
    {
        var box = await shared.GetAsync();
        Assert.Equal(127, (await box.RunAsync(new GuestRequest { Op = "exec", Command = ["no-such-program"] })).Exit.Code);
        Assert.Equal(127, (await box.RunAsync(new GuestRequest { Op = "exec", Command = ["no-such-program"], Root = true })).Exit.Code);
    }

    [Theory]
    [InlineData("a=b", "found", 0)]
    [InlineData("bare", "bare", 0)]
    [InlineData("plain", "", 126)]
    [InlineData("/etc/hostname/plain", "", 126)]
    [InlineData("/tmp/own/plain", "", 126)]
    [InlineData("closed", "", 126)]
    [InlineData("c=d", "", 127)]
    [InlineData("-x", "", 127)]
    public async Task A_program_is_looked_for_on_its_own_path(string program, string output, int code)
    {
        var box = await shared.GetAsync();
        await box.ShAsync("mkdir -p /tmp/own && cd /tmp/own && printf '#!/bin/sh\necho found' > a=b && echo 'echo bare' > bare && echo > plain && chmod 755 a=b bare && chmod 644 plain");
        await box.ShAsync("cp /bin/true /tmp/own/closed && chmod 700 /tmp/own/closed", root: true);
        var ran = await box.RunAsync(new GuestRequest { Op = "exec", Command = [program], Environment = new Dictionary<string, string> { ["PATH"] = "/nowhere:/tmp/own" } });
        Assert.Equal((output, code), (ran.Out.Trim(), ran.Exit.Code));
    }

    // Each line twice: as it stands, and as bash has to take it.
    [Theory]
    [InlineData("true")]
    [InlineData("false")]
    [InlineData("true --help")]
    [InlineData("ls -la /etc/hosts")]
    [InlineData("  printenv   LANG ")]
    [InlineData("printenv PWD SHLVL HOME")]
    [InlineData("env A=b printenv A")]
    [InlineData("A=b printenv A")]
    [InlineData("echo a  b")]
    [InlineData("cat no-such-file")]
    [InlineData("no-such-program x")]
    [InlineData("/etc/hosts")]
    [InlineData("/no/such")]
    [InlineData("/etc/hosts/below")]
    [InlineData("ls~")]
    [InlineData(".")]
    [InlineData(". /etc/profile")]
    [InlineData("exit 3")]
    [InlineData("kill -l 9")]
    [InlineData("")]
    [InlineData("   ")]
    [InlineData("-x")]
    [InlineData("sort -u %x")]
    public async Task A_plain_line_does_what_bash_does_with_it(string line)
    {
        var box = await shared.GetAsync();
        foreach (var (directory, root) in new[] { ("", false), ("/tmp/../etc", true) })
        {
            var request = Running.Shell(line) with { Path = directory, Root = root };
            var plain = await box.RunAsync(request);
            var byBash = await box.RunAsync(request with { Command = [line + "\n"] });
            Assert.Equal((byBash.Out, byBash.Err, byBash.Exit.Code), (plain.Out, plain.Err, plain.Exit.Code));
        }
    }

    [Theory]
    [InlineData("BASH_ENV", "/tmp/bash-env")]
    [InlineData("SHELLOPTS", "xtrace")]
    [InlineData("BASH_FUNC_ls%%", "() { echo mine; }")]
    public async Task What_the_environment_tells_bash_is_obeyed(string name, string value)
    {
        var box = await shared.GetAsync();
        await box.ShAsync("echo 'echo mine' > /tmp/bash-env");
        var ran = await box.RunAsync(Running.Shell("ls /workspace") with { Environment = new Dictionary<string, string> { [name] = value } });
        Assert.Contains(name == "SHELLOPTS" ? "+ ls /workspace" : "mine", ran.Out + ran.Err, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_root_nothing_is_left_in_the_users_commands()
    {
        const string Status = "grep -E '^(Uid|Gid|Groups|CapInh|CapPrm|CapEff|CapAmb|NoNewPrivs):' /proc/self/status | tr -s '\\t ' ' '";
        var box = await shared.GetAsync();
        var user = (await box.ShAsync(Status)).Out;
        Assert.Contains("Uid: 1000 1000 1000 1000\nGid: 1000 1000 1000 1000\nGroups: \n", user, StringComparison.Ordinal);
        foreach (var set in new[] { "CapInh", "CapPrm", "CapEff", "CapAmb" }) Assert.Contains(set + ": 0000000000000000\n", user, StringComparison.Ordinal);
        Assert.Contains("NoNewPrivs: 1\n", user, StringComparison.Ordinal);
        Assert.Contains("Uid: 0 0 0 0\nGid: 0 0 0 0\n", (await box.ShAsync(Status, root: true)).Out, StringComparison.Ordinal);

        // The thread that starts them is root's again.
        Assert.Equal("0 0 0 0", (await box.ShAsync("cat /proc/1/task/*/status | sed -n 's/^[UG]id:[[:space:]]*//p' | tr -s '\\t' ' ' | sort -u", root: true)).Out.Trim());
    }

    [Fact]
    public async Task A_timeout_ends_the_whole_group_and_is_told_apart()
    {
        var box = await shared.GetAsync();
        var ran = await box.RunAsync(Running.Shell("sleep 3001 & exec sleep 3001") with { TimeoutMs = 100 });
        Assert.True(ran.Exit.TimedOut);
        Assert.Equal(15, ran.Exit.Signal);
        await NoneAsync(box, "sleep 3001");
    }

    [Fact]
    public async Task A_timeout_that_is_ignored_becomes_a_kill()
    {
        var box = await shared.GetAsync();
        var ran = await box.RunAsync(Running.Shell("trap '' TERM; while true; do sleep 3002; done") with { TimeoutMs = 100 });
        Assert.Equal((true, 9), (ran.Exit.TimedOut, ran.Exit.Signal));
        Assert.InRange(ran.Exit.DurationMs, 600, 10_000);
        await NoneAsync(box, "sleep 3002");
    }

    [Fact]
    public async Task A_timeout_holds_even_if_the_client_takes_no_output()
    {
        var box = await shared.GetAsync();
        await using var stream = await box.Client.ExecAsync(Running.Shell("exec yes 3003") with { TimeoutMs = 200 }, CancellationToken.None);
        await Eventually.Async("the command is stopped while its output waits", async () => (await box.ShAsync("pgrep -cf '^yes 3003'", root: true)).Out.Trim() == "0");
        Assert.True((await stream.EndAsync()).Exit.TimedOut);
    }

    [Fact]
    public void An_exit_that_says_nothing_is_lost_and_no_success()
    {
        Assert.Equal("lost", Assert.Throws<GuestException>(() => GuestStream.ParseExit("{}"u8.ToArray())).Code);
        Assert.Equal("lost", Assert.Throws<GuestException>(() => GuestStream.ParseExit("null"u8.ToArray())).Code);
        Assert.Equal("lost", Assert.Throws<GuestException>(() => GuestStream.ParseExit([])).Code);
        var success = JsonSerializer.SerializeToUtf8Bytes(new GuestExit { Code = 0 }, GuestJson.Default.GuestExit);
        Assert.Equal(0, GuestStream.ParseExit(success).Code);
    }

    [Fact]
    public async Task A_guest_that_dies_loses_its_commands()
    {
        var box = await GuestBox.StartAsync();
        await using var stream = await box.Client.ExecAsync(Running.Shell("echo started; sleep 1000"), CancellationToken.None);
        await stream.UntilAsync("started");
        await box.DisposeAsync();
        Assert.Equal("lost", await Running.CodeAsync(() => stream.EndAsync()));
    }

    [Fact]
    public async Task A_broken_connection_kills_the_commands_group()
    {
        var box = await shared.GetAsync();
        await using (var stream = await box.Client.ExecAsync(Running.Shell("sleep 3004 & echo started; exec sleep 3004"), CancellationToken.None))
        {
            await stream.UntilAsync("started");
        }

        await NoneAsync(box, "sleep 3004");
    }

    [Fact]
    public async Task What_is_left_in_the_background_lives_on_and_holds_nobody_up()
    {
        var box = await shared.GetAsync();
        var clock = Stopwatch.StartNew();
        var ran = await box.ShAsync("sleep 3005 & echo done");
        Assert.Equal(("done\n", 0), (ran.Out, ran.Exit.Code));
        Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(10));
        Assert.Equal("1", (await box.ShAsync("pgrep -cxf 'sleep 3005'")).Out.Trim());
        await box.ShAsync("pkill -xf 'sleep 3005'");
    }

    [Fact]
    public async Task A_background_writer_that_never_stops_does_not_keep_its_command_from_ending()
    {
        var box = await shared.GetAsync();
        var ran = await box.ShAsync("(trap '' PIPE; exec yes 3006) & sleep 0.1; exit 3");
        Assert.Equal(3, ran.Exit.Code);
        await NoneAsync(box, "yes 3006");
    }

    [Fact]
    public async Task Orphans_are_reaped()
    {
        var box = await shared.GetAsync();
        await box.ShAsync("for i in $(seq 50); do (setsid sleep 0.05 &) ; done");
        await Eventually.Async("no zombie is left", async () => (await box.ShAsync("cat /proc/[0-9]*/stat 2>/dev/null | grep -c ') Z '", root: true)).Out.Trim() == "0");
    }

    [Fact]
    public async Task Output_comes_whole_in_order_and_apart()
    {
        var box = await shared.GetAsync();
        var ran = await box.ShAsync("seq 1 200000; seq 1 50000 >&2");
        Assert.Equal(string.Concat(Enumerable.Range(1, 200_000).Select(i => $"{i}\n")), ran.Out);
        Assert.Equal(string.Concat(Enumerable.Range(1, 50_000).Select(i => $"{i}\n")), ran.Err);
    }

    [Fact]
    public async Task Input_of_any_size_goes_through_while_output_comes_back()
    {
        var box = await shared.GetAsync();
        var sent = new byte[20 << 20];
        new Random(3).NextBytes(sent);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await using var stream = await box.Client.ExecAsync(new GuestRequest { Op = "exec", Command = ["cat"] }, patience.Token);
        var feeding = FeedAsync(stream, sent, patience.Token);
        using var back = new MemoryStream();
        GuestExit? exit = null;
        while (exit is null)
        {
            var (kind, payload) = await stream.ReadAsync(patience.Token);
            if (kind == Frame.Exit) exit = GuestStream.ParseExit(payload);
            else back.Write(payload);
        }

        await feeding;
        Assert.Equal(0, exit.Code);
        Assert.True(sent.AsSpan().SequenceEqual(back.ToArray()), "the bytes differ");
    }

    [Fact]
    public async Task A_client_that_stops_reading_stops_the_command_and_no_memory_grows()
    {
        await using var box = await GuestBox.StartAsync();
        await box.ShAsync("true");
        var before = box.Status("VmRSS");
        await using var stream = await box.Client.ExecAsync(Running.Shell("head -c 1000000000 /dev/zero && echo all >&2"), CancellationToken.None);
        await stream.ReadAsync(CancellationToken.None);
        // Blocked in a write: head sleeps, and its count of written bytes stands still.
        await Eventually.Async("the command waits for its reader", async () =>
        {
            var first = await WrittenAsync();
            await Task.Delay(100);
            return first > 0 && first == await WrittenAsync();
        });
        Assert.InRange(await WrittenAsync(), 1, 32 << 20);
        Assert.InRange(box.Status("VmRSS") - before, -8 * 1024, 2 * 1024);

        async Task<long> WrittenAsync() => long.TryParse((await box.ShAsync("sed -n 's/^wchar: //p' /proc/$(pgrep -x head)/io", root: true)).Out.Trim(), out var count) ? count : 0;
    }

    [Fact]
    public async Task A_command_that_stops_reading_stops_its_client_and_no_memory_grows()
    {
        await using var box = await GuestBox.StartAsync();
        await box.ShAsync("true");
        var before = box.Status("VmRSS");
        await using var stream = await box.Client.ExecAsync(Running.Shell("sleep 1000"), CancellationToken.None);
        var piece = new byte[Frame.MaxPayload];
        var sent = 0L;
        Task write;
        do
        {
            Assert.InRange(sent, 0, 64 << 20);
            write = stream.WriteAsync(Frame.Stdin, piece, CancellationToken.None);
            sent += piece.Length;
        }
        while (await Task.WhenAny(write, Task.Delay(1000)) == write);
        Assert.InRange(box.Status("VmRSS") - before, -8 * 1024, 2 * 1024);
    }

    [Fact]
    public async Task Signals_reach_the_whole_group()
    {
        var box = await shared.GetAsync();
        await using var stream = await box.Client.ExecAsync(Running.Shell("trap 'echo hup' HUP; echo ready; while true; do sleep 0.05; done"), CancellationToken.None);
        await stream.UntilAsync("ready");
        await stream.WriteAsync(Frame.Signal, new byte[] { 1 }, CancellationToken.None);
        await stream.UntilAsync("hup");
        await stream.WriteAsync(Frame.Signal, new byte[] { 9 }, CancellationToken.None);
        Assert.Equal(9, (await stream.EndAsync()).Exit.Signal);
    }

    [Fact]
    public async Task A_command_is_the_user_with_nothing_more_and_root_only_when_asked()
    {
        var box = await shared.GetAsync();
        Assert.Equal("1000 1000 1000\n", (await box.ShAsync("echo $(id -u) $(id -g) $(id -G)")).Out);
        Assert.Equal("0\n", (await box.ShAsync("id -u", root: true)).Out);
        Assert.Equal("NoNewPrivs:\t1\n", (await box.ShAsync("grep NoNewPrivs /proc/self/status")).Out);
        Assert.NotEqual(0, (await box.ShAsync("cat /proc/1/environ /proc/1/maps 2>/dev/null")).Exit.Code);
        Assert.Equal("3\n", (await box.ShAsync("ls /proc/self/fd | grep -vc '^3$'")).Out);
    }

    [Fact]
    public async Task Commands_die_before_the_guest_when_memory_is_short()
    {
        var box = await shared.GetAsync();
        var own = int.Parse(await File.ReadAllTextAsync($"/proc/{box.Pid}/oom_score_adj"), System.Globalization.CultureInfo.InvariantCulture);
        var command = int.Parse((await box.ShAsync("cat /proc/self/oom_score_adj")).Out, System.Globalization.CultureInfo.InvariantCulture);
        Assert.True(command > own, $"a command has {command}, the guest {own}");
    }

    [Theory]
    [InlineData("nowhere", "not_found")]
    [InlineData("/etc/passwd", "not_directory")]
    [InlineData("a\0b", "invalid_path")]
    public async Task A_working_directory_that_is_none_is_refused(string path, string code)
    {
        var box = await shared.GetAsync();
        Assert.Equal(code, await Running.CodeAsync(() => box.RunAsync(Running.Shell("pwd") with { Path = path })));
    }

    [Fact]
    public async Task The_working_directory_is_the_workspace_or_below_it_or_absolute()
    {
        var box = await shared.GetAsync();
        await box.Client.MkdirAsync("cwd", exclusive: false, null, CancellationToken.None);
        Assert.Equal("/workspace\n", (await box.ShAsync("pwd")).Out);
        Assert.Equal("/workspace/cwd\n", (await box.RunAsync(Running.Shell("pwd") with { Path = "cwd" })).Out);
        Assert.Equal("/tmp\n", (await box.RunAsync(Running.Shell("pwd") with { Path = "/tmp" })).Out);
    }

    [Fact]
    public async Task Arguments_that_are_too_long_are_refused_with_the_reason()
    {
        var box = await shared.GetAsync();
        Assert.Equal("too_long", await Running.CodeAsync(() => box.RunAsync(new GuestRequest { Op = "exec", Command = ["echo", new string('x', 200_000)] })));
    }

    [Fact]
    public async Task Environment_is_what_was_given_and_nothing_of_the_guests_own()
    {
        await using var box = await GuestBox.StartAsync();
        await box.Client.ConfigureAsync("agent-7", new Dictionary<string, string> { ["GIVEN"] = "at first", ["KEPT"] = "line\nbreak = ü", ["HOME"] = "/tmp" }, CancellationToken.None);
        var ran = await box.RunAsync(new GuestRequest { Op = "exec", Command = ["env", "-0"], Environment = new Dictionary<string, string> { ["GIVEN"] = "with the command" } });
        var seen = ran.Out.Split('\0', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1]);
        Assert.Equal(["GIVEN", "HOME", "KEPT", "LANG", "LOGNAME", "PATH", "SHELL", "USER"], seen.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(("with the command", "line\nbreak = ü", "/tmp", "user"), (seen["GIVEN"], seen["KEPT"], seen["HOME"], seen["USER"]));
        Assert.Equal("agent-7\n", (await box.ShAsync("cat /proc/sys/kernel/hostname")).Out);
        await box.Client.ConfigureAsync("", new Dictionary<string, string>(), CancellationToken.None);
        Assert.Equal("|/workspace\n", (await box.ShAsync("echo \"$GIVEN|$HOME\"")).Out);
    }

    [Fact]
    public async Task Usage_counts_processes_and_names_ports()
    {
        await using var box = await GuestBox.StartAsync();
        var usage = await box.Client.UsageAsync(CancellationToken.None);
        Assert.Equal([7007], usage.Ports);
        Assert.InRange(usage.Processes, 1, 20);
    }

    private static async Task FeedAsync(GuestStream stream, byte[] bytes, CancellationToken cancellationToken)
    {
        for (var at = 0; at < bytes.Length; at += Frame.MaxPayload)
            await stream.WriteAsync(Frame.Stdin, bytes.AsMemory(at, Math.Min(Frame.MaxPayload, bytes.Length - at)), cancellationToken);
        await stream.WriteAsync(Frame.CloseStdin, default, cancellationToken);
    }

    private static Task NoneAsync(GuestBox box, string command) =>
        Eventually.Async($"no '{command}' runs", async () => (await box.ShAsync($"pgrep -cxf '{command}'", root: true)).Out.Trim() == "0");
}
