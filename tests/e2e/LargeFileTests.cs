using System.Net;
using System.Security.Cryptography;
using Corral.Tests.Instance;
using Xunit;

namespace Corral.EndToEnd.Tests;

/// <summary>Files of any size, and what links and modes mean.</summary>
public sealed class LargeFileTests(SharedInstance shared)
{
    private const long Gibibyte = 1L << 30;
    private const string Files = "/v1/sandboxes/fs";

    [Fact]
    public async Task OneGibibyte_GoesUpAndDown_InConstantMemory()
    {
        var id = await shared.Boxes.ReadyAsync(new() { ["runtime"] = "base", ["isolation"] = "runc" });
        var services = await shared.Instance.ServicesAsync();
        string[] carriers = ["gateway", "node-agent"];
        var before = carriers.Select(name => Peak(services[name].Pid)).ToList();

        using var content = new StreamContent(new Pattern(Gibibyte), 1 << 16);
        content.Headers.ContentLength = Gibibyte;
        var up = await shared.Boxes.SendAsync(new HttpRequestMessage(HttpMethod.Post, $"{Files}/upload?id={id}&path=big.bin&mode=0640") { Content = content });
        Assert.True(up.Status == HttpStatusCode.OK, up.Text);
        Assert.Equal(Gibibyte, (long)up.Body!["size"]!);
        var expected = await DigestAsync(new Pattern(Gibibyte));
        Assert.Equal($"640 {Gibibyte}\n{expected}  big.bin\n", (string)(await shared.Boxes.ExecAsync(id, "stat -c '%a %s' big.bin; sha256sum big.bin"))["stdout"]!);

        using var down = await shared.Boxes.Http.GetAsync($"{Files}/download?id={id}&path=big.bin", HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal(Gibibyte, down.Content.Headers.ContentLength);
        Assert.Equal(expected, await DigestAsync(await down.Content.ReadAsStreamAsync()));

        foreach (var (name, was) in carriers.Zip(before)) Assert.InRange(Peak(services[name].Pid) - was, 0, 128 << 10);
        await shared.Boxes.EndAsync(id);
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task APart_IsDownloaded_AndAHeadTellsTheSize(string isolation)
    {
        var id = await shared.SandboxAsync(isolation);
        await UploadAsync(id, "part.bin", [.. Enumerable.Range(0, 100_000).Select(i => (byte)(i * 7))]);
        foreach (var (offset, length, from, to) in new[] { (0, 0, 0, 100_000), (70_000, 0, 70_000, 100_000), (10, 20, 10, 30), (99_999, 50, 99_999, 100_000), (100_000, 0, 0, 0), (200_000, 5, 0, 0) })
        {
            var bytes = await shared.Boxes.Http.GetByteArrayAsync($"{Files}/download?id={id}&path=part.bin&offset={offset}&length={length}");
            Assert.Equal(Enumerable.Range(from, to - from).Select(i => (byte)(i * 7)), bytes);
        }

        using var head = await shared.Boxes.Http.SendAsync(new HttpRequestMessage(HttpMethod.Head, $"{Files}/download?id={id}&path=part.bin"));
        Assert.Equal((HttpStatusCode.OK, 100_000L), (head.StatusCode, head.Content.Headers.ContentLength));
        await UploadAsync(id, "empty.bin", []);
        Assert.Empty(await shared.Boxes.Http.GetByteArrayAsync($"{Files}/download?id={id}&path=empty.bin"));
    }

    [Theory]
    [InlineData("download?id=@&path=missing", "GET", HttpStatusCode.NotFound)]
    [InlineData("download?id=@&path=/tmp", "GET", HttpStatusCode.Conflict)]
    [InlineData("download?id=@&path=/etc/shadow", "GET", HttpStatusCode.Forbidden)]
    [InlineData("download?id=@&path=x&offset=-1", "GET", HttpStatusCode.BadRequest)]
    [InlineData("download?id=@", "GET", HttpStatusCode.BadRequest)]
    [InlineData("download?id=sbx-nobody&path=x", "GET", HttpStatusCode.NotFound)]
    [InlineData("upload?id=@&path=/etc/nothing", "POST", HttpStatusCode.Forbidden)]
    [InlineData("upload?id=@&path=/tmp", "POST", HttpStatusCode.Conflict)]
    [InlineData("upload?id=@&path=x&mode=9", "POST", HttpStatusCode.BadRequest)]
    [InlineData("upload?id=@&path=x&data=y", "POST", HttpStatusCode.BadRequest)]
    [InlineData("upload?id=sbx-nobody&path=x", "POST", HttpStatusCode.NotFound)]
    public async Task WhatCannotBeDone_IsRefusedWithItsReason(string what, string verb, HttpStatusCode expected)
    {
        var path = $"{Files}/{what.Replace("@", await shared.SandboxAsync("runc"), StringComparison.Ordinal)}";
        var answer = await shared.Boxes.SendAsync(new HttpRequestMessage(new HttpMethod(verb), path) { Content = verb == "POST" ? new ByteArrayContent(new byte[200_000]) : null });
        Assert.True(answer.Status == expected, $"{(int)answer.Status} {answer.Text}");
        Assert.NotNull(answer.Error);
    }

    [Fact]
    public async Task AnUploadThatIsCutOff_ChangesNothing()
    {
        var id = await shared.SandboxAsync("runc");
        await UploadAsync(id, "whole.txt", "old"u8.ToArray());
        using var content = new StreamContent(new Pattern(1 << 20, breaksAt: 700_000));
        content.Headers.ContentLength = 1 << 20;
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => shared.Boxes.SendAsync(new HttpRequestMessage(HttpMethod.Post, $"{Files}/upload?id={id}&path=whole.txt") { Content = content }));
        var left = await shared.Boxes.ExecAsync(id, "for i in $(seq 100); do [ -z \"$(ls -A | grep corral-write)\" ] && break; sleep 0.05; done; cat whole.txt; ls -A | grep -c corral-write");
        Assert.Equal("old0\n", (string)left["stdout"]!);
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task Links_AreToldAsLinks_FollowedByContent_AndMovedCopiedAndDeletedThemselves(string isolation)
    {
        var id = await shared.SandboxAsync(isolation);
        await shared.Boxes.ExecAsync(id, "rm -rf links; mkdir -p links/dir && cd links && echo target > file && ln -s file link && ln -s missing dangling && ln -s /etc/shadow secret && ln -s dir dirlink && echo in > dir/in && ln -s loop loop");

        var link = await shared.Boxes.GetAsync($"{Files}/stat?id={id}&path=links/link");
        Assert.Equal(("symlink", "file"), ((string)link.Body!["type"]!, (string)link.Body["target"]!));
        Assert.Equal("target\n"u8.ToArray(), await shared.Boxes.Http.GetByteArrayAsync($"{Files}/download?id={id}&path=links/link"));
        Assert.Equal("in\n"u8.ToArray(), await shared.Boxes.Http.GetByteArrayAsync($"{Files}/download?id={id}&path=links/dirlink/in"));
        Assert.Equal(HttpStatusCode.NotFound, (await shared.Boxes.GetAsync($"{Files}/read?id={id}&path=links/dangling")).Status);
        Assert.Equal(HttpStatusCode.Forbidden, (await shared.Boxes.GetAsync($"{Files}/read?id={id}&path=links/secret")).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await shared.Boxes.GetAsync($"{Files}/read?id={id}&path=links/loop")).Status);

        await UploadAsync(id, "links/link", "through"u8.ToArray());
        await UploadAsync(id, "links/dangling", "made"u8.ToArray());
        await OkAsync("move", new() { ["id"] = id, ["from"] = "links/link", ["to"] = "links/moved" });
        await OkAsync("copy", new() { ["id"] = id, ["from"] = "links/moved", ["to"] = "links/copied" });
        await OkAsync("delete", new() { ["id"] = id, ["path"] = "links/dirlink", ["recursive"] = true });
        var seen = await shared.Boxes.ExecAsync(id, "cd links; cat file missing; readlink moved copied; ls dir; [ -e dirlink ] || echo gone");
        Assert.Equal("throughmadefile\nfile\nin\ngone\n", (string)seen["stdout"]!);
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task ModesAndOwners_AreSetAndKept(string isolation)
    {
        var id = await shared.SandboxAsync(isolation);
        await shared.Boxes.ExecAsync(id, "rm -f modes.txt", new() { ["user"] = "root" });
        await UploadAsync(id, "modes.txt", "x"u8.ToArray(), "&mode=0751");
        await UploadAsync(id, "modes.txt", "y"u8.ToArray());
        Assert.Equal("751 user\n", (string)(await shared.Boxes.ExecAsync(id, "stat -c '%a %U' modes.txt"))["stdout"]!);
        await OkAsync("permissions", new() { ["id"] = id, ["path"] = "modes.txt", ["mode"] = "4755" });
        Assert.Equal("4755 user\n", (string)(await shared.Boxes.ExecAsync(id, "stat -c '%a %U' modes.txt"))["stdout"]!);
        await OkAsync("permissions", new() { ["id"] = id, ["path"] = "modes.txt", ["owner"] = "root", ["mode"] = "0600" });
        var refused = await shared.Boxes.GetAsync($"{Files}/read?id={id}&path=modes.txt");
        Assert.Equal((HttpStatusCode.Forbidden, "FILE_PERMISSION_DENIED"), (refused.Status, (string?)refused.Body!["code"]));
        Assert.Equal("600 root\n", (string)(await shared.Boxes.ExecAsync(id, "stat -c '%a %U' modes.txt"))["stdout"]!);
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task AWatch_TellsWhatChanges_WhoeverChangesIt(string isolation)
    {
        var id = await shared.SandboxAsync(isolation);
        await shared.Boxes.ExecAsync(id, "rm -rf watched; mkdir watched");
        using var watch = await EventSource.GetAsync(shared.Boxes, $"{Files}/watch?id={id}&path=watched&recursive=true");
        Assert.Equal("watching", (await watch.NextAsync())!.Name);
        await UploadAsync(id, "watched/up.txt", "x"u8.ToArray());
        Assert.Equal(("/workspace/watched/up.txt", "created"), await ChangeAsync(watch));
        await shared.Boxes.ExecAsync(id, "rm watched/up.txt");
        Assert.Equal(("/workspace/watched/up.txt", "deleted"), await ChangeAsync(watch));
    }

    private static async Task<(string, string)> ChangeAsync(EventSource watch)
    {
        StreamedEvent? change;
        do change = await watch.NextAsync();
        while (change is { Name: "change" } && (string)change.Data["kind"]! == "modified");
        return ((string)change!.Data["path"]!, (string)change.Data["kind"]!);
    }

    private async Task UploadAsync(string id, string path, byte[] bytes, string more = "")
    {
        var answer = await shared.Boxes.SendAsync(new HttpRequestMessage(HttpMethod.Post, $"{Files}/upload?id={id}&path={path}{more}") { Content = new ByteArrayContent(bytes) });
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
    }

    private async Task OkAsync(string call, System.Text.Json.Nodes.JsonObject body)
    {
        var answer = await shared.Boxes.PostAsync($"{Files}/{call}", body);
        Assert.True(answer.Status == HttpStatusCode.OK && (bool)answer.Body!["ok"]!, answer.Text);
    }

    private static async Task<string> DigestAsync(Stream content)
    {
        await using (content) return Convert.ToHexStringLower(await SHA256.HashDataAsync(content));
    }

    private static long Peak(int pid) => long.Parse(
        File.ReadLines($"/proc/{pid}/status").First(line => line.StartsWith("VmHWM:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
        System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>Bytes that depend on where they stand, as many as are wanted, all of them made as they are read.</summary>
    private sealed class Pattern(long length, long breaksAt = long.MaxValue) : Stream
    {
        private long _at;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => length;

        public override long Position { get => _at; set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            if (_at >= breaksAt) throw new IOException("The source broke.");
            var count = (int)Math.Min(buffer.Length, Math.Min(length, breaksAt) - _at);
            for (var i = 0; i < count; i++) buffer[i] = (byte)((_at + i) ^ ((_at + i) >> 8) ^ ((_at + i) >> 16));
            _at += count;
            return count;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
