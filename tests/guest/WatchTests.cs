using Corral.GuestLink;
using Corral.Tests.Support;
using Xunit;

namespace Corral.Guest.Tests;

/// <summary>Watching: everything that happens is told, or that something was lost.</summary>
public sealed class WatchTests(SharedGuest shared)
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task Changes_of_a_directory_are_told_in_order()
    {
        var box = await shared.GetAsync();
        await box.ShAsync("mkdir -p seen; echo 1 > seen/old");
        await using var watch = await OpenAsync(box, "seen");
        await box.ShAsync("echo 1 > seen/new");
        await watch.SeesAsync("created /workspace/seen/new");
        await box.ShAsync("echo 2 >> seen/old");
        await watch.SeesAsync("modified /workspace/seen/old");
        await box.ShAsync("chmod 600 seen/old");
        await watch.SeesAsync("modified /workspace/seen/old");
        await box.ShAsync("mv seen/old seen/other");
        await watch.SeesAsync("deleted /workspace/seen/old");
        await watch.SeesAsync("created /workspace/seen/other");
        await box.ShAsync("rm seen/new");
        await watch.SeesAsync("deleted /workspace/seen/new");
    }

    [Fact]
    public async Task Directories_below_are_watched_only_when_asked_and_new_ones_too()
    {
        var box = await shared.GetAsync();
        await box.ShAsync("mkdir -p tree/a/b elsewhere; ln -sfn ../elsewhere tree/link");
        await using var flat = await OpenAsync(box, "tree");
        await using var deep = await OpenAsync(box, "tree", recursive: true);
        await box.ShAsync("touch tree/a/b/one");
        await deep.SeesAsync("created /workspace/tree/a/b/one");
        // Made so quickly that a watch on the new directories comes too late for what is in them.
        await box.ShAsync("mkdir -p tree/new/er; touch tree/new/er/file");
        await deep.SeesAsync("created /workspace/tree/new");
        await deep.SeesAsync("created /workspace/tree/new/er");
        await deep.SeesAsync("created /workspace/tree/new/er/file");
        await box.ShAsync("echo more > tree/new/er/file");
        await deep.SeesAsync("modified /workspace/tree/new/er/file");
        await box.ShAsync("mv tree/new tree/renamed");
        await deep.SeesAsync("deleted /workspace/tree/new");
        await deep.SeesAsync("created /workspace/tree/renamed");
        await box.ShAsync("echo again > tree/renamed/er/file");
        await deep.SeesAsync("modified /workspace/tree/renamed/er/file");
        await box.ShAsync("touch elsewhere/unseen; rm -r tree/renamed; touch tree/last");
        await deep.SeesAsync("deleted /workspace/tree/renamed");
        await deep.SeesAsync("created /workspace/tree/last");
        await flat.SeesAsync("created /workspace/tree/last");
        Assert.DoesNotContain(flat.All, change => change.Contains("/er", StringComparison.Ordinal));
        Assert.DoesNotContain(deep.All, change => change.Contains("unseen", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_file_is_watched_through_replacement_and_deletion()
    {
        var box = await shared.GetAsync();
        await box.WriteFileAsync("single/file", "1"u8.ToArray());
        await using var watch = await OpenAsync(box, "single/file");
        await box.ShAsync("touch single/beside; echo 2 >> single/file");
        await watch.SeesAsync("modified /workspace/single/file");
        await box.WriteFileAsync("single/file", "3"u8.ToArray());
        await watch.SeesAsync("created /workspace/single/file");
        await box.ShAsync("rm single/file");
        await watch.SeesAsync("deleted /workspace/single/file");
        Assert.DoesNotContain(watch.All, change => !change.EndsWith("single/file", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Writes_through_the_guest_are_told_once_and_not_by_their_temporary_names()
    {
        var box = await shared.GetAsync();
        await box.Client.MkdirAsync("quiet", exclusive: false, null, None);
        await using var watch = await OpenAsync(box, "quiet");
        await box.WriteFileAsync("quiet/file", new byte[1_000_000]);
        await box.ShAsync("touch quiet/end");
        await watch.SeesAsync("created /workspace/quiet/end");
        Assert.Equal(["created /workspace/quiet/file", "created /workspace/quiet/end"], watch.All.Where(change => change.StartsWith("created", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task The_end_of_what_is_watched_ends_the_watch()
    {
        var box = await shared.GetAsync();
        await box.ShAsync("mkdir -p ends/here");
        await using var watch = await OpenAsync(box, "ends", recursive: true);
        await box.ShAsync("rm -r ends");
        await watch.SeesAsync("deleted /workspace/ends");
        await watch.EndsAsync();
    }

    [Theory]
    [InlineData("nowhere", "not_found")]
    [InlineData("/root", "permission_denied")]
    [InlineData("", "invalid_path")]
    public async Task What_cannot_be_watched_is_refused(string path, string code)
    {
        var box = await shared.GetAsync();
        Assert.Equal(code, await Running.CodeAsync(() => OpenAsync(box, path)));
    }

    [Fact]
    public async Task A_tree_with_too_many_directories_is_refused()
    {
        var box = await shared.GetAsync();
        await box.ShAsync("mkdir -p /tmp/wide; cd /tmp/wide; seq 8200 | xargs mkdir -p");
        Assert.Equal("too_many", await Running.CodeAsync(() => OpenAsync(box, "/tmp/wide", recursive: true)));
        await using var flat = await OpenAsync(box, "/tmp/wide");
    }

    [Fact]
    public async Task A_client_that_does_not_read_is_told_of_its_loss_and_holds_nobody_up()
    {
        var box = await shared.GetAsync();
        await box.Client.MkdirAsync("flood", exclusive: false, null, None);
        await using var watch = await OpenAsync(box, "flood");
        // More than sockets and queue hold, each of a name of its own; the command itself must not be slowed to a halt.
        var ran = await box.RunAsync(Running.Shell("perl -e 'for (1..150000) { open my $f, \">\", \"flood/a-name-that-is-rather-long-so-that-buffers-fill-\" . $_ % 50000; unlink \"flood/a-name-that-is-rather-long-so-that-buffers-fill-\" . $_ % 50000 }'; touch flood/end") with { TimeoutMs = 60_000 });
        Assert.Equal((0, false), (ran.Exit.Code, ran.Exit.TimedOut));
        await watch.SeesAsync(Watched.Lost);
        await watch.SeesAsync("created /workspace/flood/end");
        var resident = (await box.ShAsync("for p in $(pgrep -f '[g]uest file-op.*watch'); do sed -n 's/^VmRSS:[^0-9]*//p' /proc/$p/status; done", root: true)).Out;
        Assert.All(resident.Split('\n', StringSplitOptions.RemoveEmptyEntries), line => Assert.InRange(int.Parse(line.Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture), 1, 24 * 1024));
    }

    [Fact]
    public async Task A_client_that_leaves_takes_its_watch_along()
    {
        var box = await shared.GetAsync();
        await using (await OpenAsync(box, "/workspace", recursive: true))
        {
            Assert.NotEqual("0", (await box.ShAsync("pgrep -cf '[g]uest file-op.*watch'", root: true)).Out.Trim());
        }

        await Eventually.Async("no watch is left", async () => (await box.ShAsync("pgrep -cf '[g]uest file-op.*watch'", root: true)).Out.Trim() == "0");
    }

    private static async Task<Watched> OpenAsync(GuestBox box, string path, bool recursive = false)
    {
        var stream = await box.Client.WatchAsync(path, recursive, None);
        await stream.ReadResultAsync(None);
        return new Watched(stream);
    }

    /// <summary>A watch, and what it has told.</summary>
    private sealed class Watched(GuestStream stream) : IAsyncDisposable
    {
        public const string Lost = "lost";

        private readonly Queue<string> _fresh = [];

        public List<string> All { get; } = [];

        /// <summary>Reads on until this was told.</summary>
        public async Task SeesAsync(string change)
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
            while (true)
            {
                while (_fresh.TryDequeue(out var next))
                {
                    if (next == change) return;
                }

                try
                {
                    if (await stream.ReadAsync(patience.Token) is not (Frame.Changes, var payload)) Assert.Fail($"the watch ended before '{change}'");
                    else Keep(GuestStream.ParseChanges(payload));
                }
                catch (OperationCanceledException)
                {
                    Assert.Fail($"waited in vain for '{change}'; there was: {string.Join(", ", All.TakeLast(20))}");
                }
            }
        }

        public async Task EndsAsync() => Assert.Equal(Frame.End, (await stream.ReadAsync(new CancellationTokenSource(TimeSpan.FromSeconds(30)).Token)).Kind);

        public ValueTask DisposeAsync() => stream.DisposeAsync();

        private void Keep(GuestChanges changes)
        {
            if (changes.Lost) _fresh.Enqueue(Lost);
            foreach (var change in changes.Changes) _fresh.Enqueue($"{change.Kind} {change.Path}");
            All.AddRange(_fresh.TakeLast(changes.Changes.Count + (changes.Lost ? 1 : 0)));
        }
    }
}
