using System.Text;
using Corral.GuestLink;
using Corral.Tests.Support;
using Xunit;

namespace Corral.Guest.Tests;

/// <summary>Files: exactly what uid 1000 of the sandbox may reach, byte for byte, at once or not at all.</summary>
public sealed class FileTests(SharedGuest shared)
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(65_536)]
    [InlineData(5_000_001)]
    public async Task What_is_written_is_read_byte_for_byte(int size)
    {
        var box = await shared.GetAsync();
        var content = new byte[size];
        new Random(size).NextBytes(content);
        await box.WriteFileAsync($"deep/er/bytes-{size}", content);
        var back = await box.ReadFileAsync($"/workspace/deep/er/bytes-{size}");
        Assert.True(back.AsSpan().SequenceEqual(content), "the bytes differ");
        Assert.Equal(size, (await box.Client.StatAsync($"deep/er/bytes-{size}", None)).Size);
    }

    [Fact]
    public async Task Parts_of_a_file_are_read()
    {
        var box = await shared.GetAsync();
        await box.WriteFileAsync("parts", "0123456789"u8.ToArray());
        Assert.Equal("345", Encoding.ASCII.GetString(await box.ReadFileAsync("parts", 3, 3)));
        Assert.Equal("89", Encoding.ASCII.GetString(await box.ReadFileAsync("parts", 8)));
        Assert.Empty(await box.ReadFileAsync("parts", 100));
    }

    [Theory]
    [InlineData("/etc/shadow")]
    [InlineData("/workspace/../etc/shadow")]
    [InlineData("../../../../etc/shadow")]
    [InlineData("tricks/link")]
    [InlineData("tricks/directory/shadow")]
    [InlineData("/proc/1/root/etc/shadow")]
    [InlineData("/proc/1/environ")]
    public async Task Links_and_dots_reach_nothing_that_the_user_may_not(string path)
    {
        var box = await shared.GetAsync();
        await box.ShAsync("mkdir -p /workspace/tricks; ln -sfn /etc/shadow /workspace/tricks/link; ln -sfn /etc /workspace/tricks/directory");
        Assert.Equal("permission_denied", await Running.CodeAsync(() => box.ReadFileAsync(path)));
        Assert.Equal("permission_denied", await Running.CodeAsync(() => box.WriteFileAsync(path, "x"u8.ToArray())));
    }

    [Fact]
    public async Task Files_of_root_are_neither_written_nor_replaced_moved_or_deleted()
    {
        var box = await shared.GetAsync();
        foreach (var operation in (Func<Task>[])
        [
            () => box.WriteFileAsync("/etc/passwd", "x"u8.ToArray()), () => box.WriteFileAsync("/etc/new", "x"u8.ToArray()), () => box.Client.MkdirAsync("/etc/new", exclusive: false, null, None),
            () => box.Client.MoveAsync("/etc/passwd", "/workspace/mine", overwrite: true, None), () => box.Client.DeleteAsync("/etc/passwd", recursive: false, None),
            () => box.Client.DeleteAsync("/etc/ssl", recursive: true, None), () => box.Client.ListAsync("/root", None),
        ])
        {
            Assert.Equal("permission_denied", await Running.CodeAsync(operation));
        }

        // Its directory may be written, the file may not: replacing it is refused all the same.
        await box.ShAsync("echo root > /workspace/of-root; chown 0:0 /workspace/of-root; chmod 644 /workspace/of-root", root: true);
        Assert.Equal("permission_denied", await Running.CodeAsync(() => box.WriteFileAsync("of-root", "x"u8.ToArray())));
    }

    [Fact]
    public async Task Dots_after_a_link_mean_what_the_kernel_means()
    {
        var box = await shared.GetAsync();
        await box.ShAsync("mkdir -p dots/a/b; echo kernel > dots/a/file; echo text > dots/file; ln -sfn a/b dots/link");
        Assert.Equal("kernel\n", Encoding.ASCII.GetString(await box.ReadFileAsync("dots/link/../file")));
        await box.WriteFileAsync("dots/link/../made", "x"u8.ToArray());
        Assert.Equal("/workspace/dots/a/made\n", (await box.ShAsync("ls /workspace/dots/a/made")).Out);
        Assert.Equal("/workspace/dots/link/../made", (await box.Client.StatAsync("dots/link/../made", None)).Path);
    }

    [Fact]
    public async Task Paths_that_are_none_are_refused()
    {
        var box = await shared.GetAsync();
        Assert.Equal("invalid_path", await Running.CodeAsync(() => box.ReadFileAsync("")));
        Assert.Equal("invalid_path", await Running.CodeAsync(() => box.ReadFileAsync("a\0b")));
        Assert.Equal("invalid_path", await Running.CodeAsync(() => box.Client.MoveAsync("a", "b\0", overwrite: false, None)));
        Assert.Equal("invalid_path", await Running.CodeAsync(() => box.ReadFileAsync("/" + new string('a', 4096))));
        Assert.Equal("invalid_path", await Running.CodeAsync(() => box.Client.MkdirAsync(new string('a', 256), exclusive: false, null, None)));
        Assert.Equal("not_found", await Running.CodeAsync(() => box.ReadFileAsync(string.Join('/', Enumerable.Repeat("missing", 500)))));
    }

    [Fact]
    public async Task The_longest_path_works()
    {
        var box = await shared.GetAsync();
        // 4 095 bytes: the kernel counts the NUL as well.
        var path = "/tmp" + string.Concat(Enumerable.Repeat("/" + new string('d', 199), 20));
        path += "/" + new string('f', 4095 - path.Length - 1 - 60);
        await box.WriteFileAsync(path, "far"u8.ToArray());
        Assert.Equal("far", Encoding.ASCII.GetString(await box.ReadFileAsync(path)));
    }

    [Fact]
    public async Task What_a_path_is_decides_what_can_be_done_with_it()
    {
        var box = await shared.GetAsync();
        await box.ShAsync("mkdir -p kinds/full; touch kinds/full/file; mkfifo kinds/pipe; ln -sfn nowhere kinds/dangling; ln -sfn loop kinds/loop");
        Assert.Equal("not_found", await Running.CodeAsync(() => box.ReadFileAsync("kinds/missing")));
        Assert.Equal("is_directory", await Running.CodeAsync(() => box.ReadFileAsync("kinds")));
        Assert.Equal("is_directory", await Running.CodeAsync(() => box.WriteFileAsync("kinds", default)));
        Assert.Equal("not_directory", await Running.CodeAsync(() => box.ReadFileAsync("kinds/full/file/below")));
        Assert.Equal("not_directory", await Running.CodeAsync(() => box.Client.ListAsync("kinds/full/file", None)));
        Assert.Equal("not_directory", await Running.CodeAsync(() => box.WriteFileAsync("kinds/full/file/below", default)));
        Assert.Equal("exists", await Running.CodeAsync(() => box.Client.MkdirAsync("kinds/full/file", exclusive: false, null, None)));
        Assert.Equal("not_empty", await Running.CodeAsync(() => box.Client.DeleteAsync("kinds/full", recursive: false, None)));
        Assert.Equal("invalid_path", await Running.CodeAsync(() => box.ReadFileAsync("kinds/loop")));
        Assert.Equal("other", await Running.CodeAsync(() => box.ReadFileAsync("kinds/pipe")));
        Assert.Equal("other", await Running.CodeAsync(() => box.WriteFileAsync("kinds/pipe", default)));
        Assert.Equal("other", await Running.CodeAsync(() => box.ReadFileAsync("/dev/zero")));
        Assert.Equal("exists", await Running.CodeAsync(() => box.Client.MoveAsync("kinds/pipe", "kinds/dangling", overwrite: false, None)));
        Assert.Equal(("other", "symlink", "directory"), ((await box.Client.StatAsync("kinds/pipe", None)).Type, (await box.Client.StatAsync("kinds/loop", None)).Type, (await box.Client.StatAsync("kinds/", None)).Type));
    }

    [Fact]
    public async Task A_file_keeps_its_mode_when_it_is_written_again_and_takes_the_one_that_is_asked_for()
    {
        var box = await shared.GetAsync();
        await box.WriteFileAsync("mode", default);
        Assert.Equal(0x1A4, (await box.Client.StatAsync("mode", None)).Mode); // 0644
        await box.WriteFileAsync("mode", default, 0x1ED);
        Assert.Equal(0x1ED, (await box.Client.StatAsync("mode", None)).Mode); // 0755
        await box.WriteFileAsync("mode", "again"u8.ToArray());
        Assert.Equal(0x1ED, (await box.Client.StatAsync("mode", None)).Mode);
        await box.WriteFileAsync("mode", default, 0);
        Assert.Equal("permission_denied", await Running.CodeAsync(() => box.ReadFileAsync("mode")));
    }

    [Fact]
    public async Task A_link_is_written_through_and_stays()
    {
        var box = await shared.GetAsync();
        await box.ShAsync("mkdir -p through; echo old > through/target; ln -sfn target through/link; ln -sfn new through/dangling");
        await box.WriteFileAsync("through/link", "new"u8.ToArray());
        await box.WriteFileAsync("through/dangling", "made"u8.ToArray());
        Assert.Equal("new made link\n", (await box.ShAsync("cd through; echo $(cat target) $(cat new) $(test -L link && test -L dangling && echo link)")).Out);
    }

    [Fact]
    public async Task Readers_see_the_old_content_or_the_new_and_never_half()
    {
        var box = await shared.GetAsync();
        var (old, next) = (Enumerable.Repeat((byte)'a', 300_000).ToArray(), Enumerable.Repeat((byte)'b', 300_000).ToArray());
        await box.WriteFileAsync("whole", old);
        await using var reader = await box.Client.ExecAsync(
            Running.Shell("echo ready; while test ! -e stop; do s=$(tr -d '\\n' < whole | fold -w1 | sort | uniq -c | tr -s ' '); case \"$s\" in ' 300000 a'|' 300000 b') ;; *) echo \"torn: $s\";; esac; done; echo over"), None);
        await reader.UntilAsync("ready");
        for (var round = 0; round < 10; round++) await box.WriteFileAsync("whole", round % 2 == 0 ? next : old);
        await box.WriteFileAsync("stop", default);
        Assert.Equal("over\n", (await reader.EndAsync()).Out);
    }

    [Fact]
    public async Task A_write_that_is_cut_off_changes_nothing_and_leaves_nothing()
    {
        var box = await shared.GetAsync();
        await box.WriteFileAsync("cut/file", "kept"u8.ToArray());
        foreach (var pieces in (int[])[0, 3])
        {
            await using var stream = await box.Client.WriteAsync("cut/file", null, None);
            for (var i = 0; i < pieces; i++) await stream.WriteAsync(Frame.Data, new byte[1000], None);
        }

        await Eventually.Async("what was begun is gone", async () => (await box.ShAsync("pgrep -f '[g]uest file-op' || ls -A cut")).Out == "file\n");
        Assert.Equal("kept", Encoding.ASCII.GetString(await box.ReadFileAsync("cut/file")));
    }

    [Fact]
    public async Task A_listing_is_by_name_and_says_what_each_is()
    {
        var box = await shared.GetAsync();
        await box.ShAsync("mkdir -p listed/sub; printf 12345 > listed/file; ln -sfn file listed/link; touch \"listed/ümlaut and blank\"");
        var (entries, truncated) = await box.Client.ListAsync("listed", None);
        Assert.False(truncated);
        Assert.Equal(["file", "link", "sub", "ümlaut and blank"], entries.Select(entry => entry.Name));
        Assert.Equal(["file", "symlink", "directory", "file"], entries.Select(entry => entry.Type));
        Assert.Equal((5, "/workspace/listed/file", "file"), (entries[0].Size, entries[0].Path, entries[1].Target));
        Assert.InRange(DateTimeOffset.FromUnixTimeMilliseconds(entries[0].ModifiedMs), DateTimeOffset.UtcNow.AddMinutes(-10), DateTimeOffset.UtcNow.AddMinutes(1));
        Assert.Empty((await box.Client.ListAsync("listed/sub", None)).Entries);
    }

    [Fact]
    public async Task A_directory_of_too_many_entries_is_cut_and_says_so()
    {
        var box = await shared.GetAsync();
        await box.ShAsync("mkdir -p /tmp/many; cd /tmp/many; seq 10050 | xargs touch");
        var (entries, truncated) = await box.Client.ListAsync("/tmp/many", None);
        Assert.Equal((10_000, true), (entries.Count, truncated));
    }

    [Fact]
    public async Task Moving_and_deleting_do_what_they_say()
    {
        var box = await shared.GetAsync();
        await box.ShAsync("mkdir -p moved/tree/below; echo 1 > moved/one; echo 2 > moved/two; ln -sfn /etc moved/tree/below/etc");
        Assert.Equal("exists", await Running.CodeAsync(() => box.Client.MoveAsync("moved/one", "moved/two", overwrite: false, None)));
        await box.Client.MoveAsync("moved/one", "moved/two", overwrite: true, None);
        await box.Client.MoveAsync("moved/two", "/dev/shm/other-file-system", overwrite: false, None);
        await box.Client.MoveAsync("moved/tree", "moved/wood", overwrite: false, None);
        Assert.Equal("invalid_path", await Running.CodeAsync(() => box.Client.MoveAsync("moved/wood", "moved/wood/itself", overwrite: true, None)));
        // Copied, a device would fill the disk, and a pipe would never end.
        Assert.Equal("other", await Running.CodeAsync(() => box.Client.MoveAsync("/dev/zero", "moved/zero", overwrite: true, None)));
        await box.ShAsync("mkfifo /dev/shm/pipe");
        Assert.Equal("other", await Running.CodeAsync(() => box.Client.MoveAsync("/dev/shm/pipe", "moved/pipe", overwrite: true, None)));
        Assert.Equal("1\nbelow\n", (await box.ShAsync("cat /dev/shm/other-file-system; ls moved/wood")).Out);
        await box.Client.DeleteAsync("moved", recursive: true, None);
        Assert.Equal("gone\n", (await box.ShAsync("test -e moved || test ! -e /etc/passwd || echo gone")).Out);
        Assert.Equal("not_found", await Running.CodeAsync(() => box.Client.DeleteAsync("moved", recursive: true, None)));
    }

    [Fact]
    public async Task A_full_disk_is_told_and_leaves_the_old_content()
    {
        var box = await shared.GetAsync();
        await box.ShAsync("mkdir -p /workspace/small; mount -t tmpfs -o size=1m,mode=777 tmpfs /workspace/small", root: true);
        await box.WriteFileAsync("small/file", "kept"u8.ToArray());
        Assert.Equal("no_space", await Running.CodeAsync(() => box.WriteFileAsync("small/file", new byte[3 << 20])));
        Assert.Equal("kept", Encoding.ASCII.GetString(await box.ReadFileAsync("small/file")));
        Assert.Equal("file\n", (await box.ShAsync("ls -A small")).Out);
    }
}
