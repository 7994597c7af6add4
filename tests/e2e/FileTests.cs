using System.Net;
using System.Text.Json.Nodes;
using Xunit;

namespace Corral.EndToEnd.Tests;

/// <summary>Files, on both runtimes.</summary>
public sealed class FileTests(SharedInstance shared)
{
    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task WhatIsWritten_IsReadBack_AndDirectoriesAboveAreMade(string isolation)
    {
        var id = await shared.SandboxAsync(isolation);

        var written = await shared.Boxes.PostAsync("/v1/sandboxes/fs/write", new() { ["id"] = id, ["path"] = "a/b/é.txt", ["content"] = "línea\n" });
        var read = await shared.Boxes.GetAsync($"/v1/sandboxes/fs/read?id={id}&path=/workspace/a/b/%C3%A9.txt");
        var owner = await shared.Boxes.ExecAsync(id, "stat -c '%U %a' a/b/é.txt");

        Assert.True(written.Status == HttpStatusCode.OK, written.Text);
        Assert.True((bool)written.Body!["ok"]!);
        Assert.Equal(7, (long)written.Body["size"]!);
        Assert.Equal(("línea\n", "utf-8", 7L), ((string)read.Body!["content"]!, (string)read.Body["encoding"]!, (long)read.Body["size"]!));
        Assert.Equal("user 644\n", (string)owner["stdout"]!);
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task Bytes_GoThroughAsBase64_AndComeBackRaw(string isolation)
    {
        var id = await shared.SandboxAsync(isolation);
        var bytes = Enumerable.Range(0, 256).Select(i => (byte)i).ToArray();

        var written = await shared.Boxes.PostAsync("/v1/sandboxes/fs/write", new()
        {
            ["id"] = id,
            ["path"] = "/tmp/bytes",
            ["content"] = Convert.ToBase64String(bytes),
            ["encoding"] = "base64",
            ["mode"] = "0600",
        });
        var read = await shared.Boxes.GetAsync($"/v1/sandboxes/fs/read?id={id}&path=/tmp/bytes");
        var raw = await shared.Boxes.Http.GetByteArrayAsync($"/v1/sandboxes/fs/read?id={id}&path=/tmp/bytes&raw=true");
        var mode = await shared.Boxes.ExecAsync(id, "stat -c %a /tmp/bytes");

        Assert.True(written.Status == HttpStatusCode.OK, written.Text);
        Assert.Equal("base64", (string)read.Body!["encoding"]!);
        Assert.Equal(bytes, Convert.FromBase64String((string)read.Body["content"]!));
        Assert.Equal(bytes, raw);
        Assert.Equal("600\n", (string)mode["stdout"]!);
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task Entries_AreListedStatedMovedAndDeleted(string isolation)
    {
        var id = await shared.SandboxAsync(isolation);
        await shared.Boxes.PostAsync("/v1/sandboxes/fs/mkdir", new() { ["id"] = id, ["path"] = "dir/sub" });
        await shared.Boxes.PostAsync("/v1/sandboxes/fs/write", new() { ["id"] = id, ["path"] = "dir/file", ["content"] = "12345" });
        await shared.Boxes.ExecAsync(id, "ln -sf file dir/link");

        var list = await shared.Boxes.GetAsync($"/v1/sandboxes/fs/list?id={id}&path=dir");
        var stat = await shared.Boxes.GetAsync($"/v1/sandboxes/fs/stat?id={id}&path=dir/link");
        var moved = await shared.Boxes.PostAsync("/v1/sandboxes/fs/move", new() { ["id"] = id, ["from"] = "dir/file", ["to"] = "dir/moved" });
        var kept = await shared.Boxes.PostAsync("/v1/sandboxes/fs/delete", new() { ["id"] = id, ["path"] = "dir" });
        var deleted = await shared.Boxes.PostAsync("/v1/sandboxes/fs/delete", new() { ["id"] = id, ["path"] = "dir", ["recursive"] = true });
        var gone = await shared.Boxes.GetAsync($"/v1/sandboxes/fs/stat?id={id}&path=dir");

        var entries = list.Body!["entries"]!.AsArray().Select(e => ((string)e!["name"]!, (string)e["type"]!)).Order();
        Assert.Equal([("file", "file"), ("link", "symlink"), ("sub", "directory")], entries);
        Assert.Equal(("symlink", "file"), ((string)stat.Body!["type"]!, (string)stat.Body["target"]!));
        Assert.Equal(HttpStatusCode.OK, moved.Status);
        Assert.Equal(HttpStatusCode.Conflict, kept.Status);
        Assert.Equal(HttpStatusCode.OK, deleted.Status);
        Assert.Equal(HttpStatusCode.NotFound, gone.Status);
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task FilesOfRoot_AreOutOfTheApisReach(string isolation)
    {
        var id = await shared.SandboxAsync(isolation);
        await shared.Boxes.ExecAsync(id, "ln -sf /etc/shadow shadow; ln -sfn / root");

        foreach (var path in new[] { "shadow", "root/etc/shadow", "../../../../etc/shadow", "/proc/1/root/etc/shadow" })
        {
            var read = await shared.Boxes.GetAsync($"/v1/sandboxes/fs/read?id={id}&path={Uri.EscapeDataString(path)}");
            Assert.True(read.Status is HttpStatusCode.Forbidden or HttpStatusCode.NotFound, $"{path}: {read.Text}");
        }

        // gVisor shows everybody every process's environment; the first process has none worth seeing.
        var environment = await shared.Boxes.GetAsync($"/v1/sandboxes/fs/read?id={id}&path=/proc/1/environ");
        Assert.True(environment.Status == HttpStatusCode.Forbidden || (string)environment.Body!["content"]! is "" or "HOME=/root\0", environment.Text);

        var written = await shared.Boxes.PostAsync("/v1/sandboxes/fs/write", new() { ["id"] = id, ["path"] = "/etc/passwd", ["content"] = "x" });
        Assert.Equal(HttpStatusCode.Forbidden, written.Status);
    }

    [Fact]
    public async Task PathsThatCannotBe_AreRefusedByName()
    {
        var id = await shared.SandboxAsync("runc");

        var nul = await shared.Boxes.GetAsync($"/v1/sandboxes/fs/read?id={id}&path=a%00b");
        var tooLong = await shared.Boxes.GetAsync($"/v1/sandboxes/fs/read?id={id}&path={new string('a', 4097)}");
        var missing = await shared.Boxes.GetAsync($"/v1/sandboxes/fs/read?id={id}&path=nothing-here");
        var directory = await shared.Boxes.GetAsync($"/v1/sandboxes/fs/read?id={id}&path=/tmp");
        var unnamed = await shared.Boxes.GetAsync($"/v1/sandboxes/fs/read?id={id}");

        Assert.Equal(HttpStatusCode.BadRequest, nul.Status);
        Assert.Equal(HttpStatusCode.BadRequest, tooLong.Status);
        Assert.Equal(HttpStatusCode.NotFound, missing.Status);
        Assert.Equal(HttpStatusCode.Conflict, directory.Status);
        Assert.Equal(HttpStatusCode.BadRequest, unnamed.Status);
        Assert.Contains("path", unnamed.Error, StringComparison.Ordinal);
    }
}
