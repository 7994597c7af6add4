using System.Net;
using System.Text.Json.Nodes;
using Corral.Tests.Instance;
using Xunit;

namespace Corral.EndToEnd.Tests;

/// <summary>Streams of commands that are left, and followed again.</summary>
public sealed class StreamTests(SharedInstance shared)
{
    private const string Stream = "/v1/sandboxes/exec/stream";
    private const string Attach = "/v1/sandboxes/exec/attach";

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task AStreamThatIsLeft_GoesOn_AndIsFollowedFromTheLastPieceThatCame(string isolation)
    {
        var id = await shared.SandboxAsync(isolation);
        string execId;
        var seen = new List<StreamedEvent>();
        using (var first = await EventSource.PostAsync(shared.Boxes, Stream, new() { ["id"] = id, ["command"] = "for i in $(seq 1 40); do echo line $i; sleep 0.05; done; exit 9" }))
        {
            var started = await first.NextAsync();
            Assert.Equal(("started", 0L), (started!.Name, (long)started.Data["sequence"]!));
            execId = (string)started.Data["execId"]!;
            for (var i = 0; i < 5; i++) seen.Add((await first.NextAsync())!);
        }

        using (var second = await EventSource.PostAsync(shared.Boxes, Attach, new() { ["id"] = id, ["execId"] = execId }, lastEventId: seen[^1].Id))
        {
            seen.AddRange((await second.RestAsync()).Where(e => e.Name != "started"));
        }

        Assert.Equal(string.Concat(Enumerable.Range(1, 40).Select(i => $"line {i}\n")), Text(seen));
        Assert.Equal(Enumerable.Range(1, seen.Count).Select(i => (long)i), seen.Select(e => (long)e.Data["sequence"]!));
        Assert.Equal(9, (int)Assert.Single(seen, e => e.Name == "exit").Data["exitCode"]!);
    }

    [Fact]
    public async Task AnEnd_IsTheSameForAllWhoAsk_HoweverOften()
    {
        var id = await shared.SandboxAsync("runc");
        var name = "exec-" + Guid.NewGuid().ToString("N");
        using var first = await EventSource.PostAsync(shared.Boxes, Stream, new() { ["id"] = id, ["command"] = "echo done; exit 3", ["execId"] = name });
        var exit = (await first.RestAsync())[^1];
        for (var i = 0; i < 3; i++)
        {
            using var again = await EventSource.PostAsync(shared.Boxes, Attach, new() { ["id"] = id, ["execId"] = name, ["after"] = i });
            var events = await again.RestAsync();
            Assert.Equal(exit.Data.ToJsonString(), Assert.Single(events, e => e.Name == "exit").Data.ToJsonString());
        }

        var repeated = await shared.Boxes.PostAsync(Stream, new() { ["id"] = id, ["command"] = "true", ["execId"] = name });
        Assert.Equal((HttpStatusCode.Conflict, "COMMAND_EXISTS"), (repeated.Status, (string?)repeated.Body!["code"]));
        var unknown = await shared.Boxes.PostAsync(Attach, new() { ["id"] = id, ["execId"] = "never" });
        Assert.Equal((HttpStatusCode.NotFound, "COMMAND_NOT_FOUND"), (unknown.Status, (string?)unknown.Body!["code"]));
    }

    [Fact]
    public async Task ASignal_EndsACommandThatNobodyFollows()
    {
        var id = await shared.SandboxAsync("runc");
        var name = "exec-" + Guid.NewGuid().ToString("N");
        using (var first = await EventSource.PostAsync(shared.Boxes, Stream, new() { ["id"] = id, ["command"] = "echo up; exec sleep 100", ["execId"] = name }))
        {
            Assert.Equal("started", (await first.NextAsync())!.Name);
            Assert.Equal("up\n", Text([(await first.NextAsync())!]));
        }

        Assert.Equal("active", (string?)(await shared.Boxes.UntilAsync(id, "active"))["status"]);
        var sent = await shared.Boxes.PostAsync("/v1/sandboxes/exec/signal", new() { ["id"] = id, ["execId"] = name, ["signal"] = 15 });
        Assert.True(sent.Status == HttpStatusCode.OK, sent.Text);
        using var again = await EventSource.PostAsync(shared.Boxes, Attach, new() { ["id"] = id, ["execId"] = name });
        var exit = (await again.RestAsync())[^1];
        Assert.Equal((143, 15), ((int)exit.Data["exitCode"]!, (int)exit.Data["signal"]!));
    }

    [Fact]
    public async Task MoreOutputThanIsKept_IsToldAsDropped()
    {
        var id = await shared.SandboxAsync("runc");
        var name = "exec-" + Guid.NewGuid().ToString("N");
        using (var first = await EventSource.PostAsync(shared.Boxes, Stream, new() { ["id"] = id, ["command"] = "sleep 0.5; seq 1 1000000; touch /tmp/seq-done", ["execId"] = name }))
        {
            await first.NextAsync();
        }

        await shared.Boxes.ExecAsync(id, "until [ -e /tmp/seq-done ]; do sleep 0.05; done");
        using var again = await EventSource.PostAsync(shared.Boxes, Attach, new() { ["id"] = id, ["execId"] = name });
        var events = await again.RestAsync();
        Assert.Equal(["started", "dropped"], events.Take(2).Select(e => e.Name));
        Assert.Equal((long)events[1].Data["sequence"]!, (long)events[1].Data["pieces"]!);
        Assert.Equal((long)events[1].Data["sequence"]! + 1, (long)events[2].Data["sequence"]!);
        Assert.EndsWith("999999\n1000000\n", Text(events), StringComparison.Ordinal);
        Assert.Equal(0, (int)events[^1].Data["exitCode"]!);
    }

    [Theory]
    [InlineData("{\"id\":\"@\",\"execId\":\"a b\"}", HttpStatusCode.BadRequest)]
    [InlineData("{\"id\":\"@\",\"execId\":\"\"}", HttpStatusCode.BadRequest)]
    [InlineData("{\"id\":\"@\",\"execId\":\"x\",\"after\":-1}", HttpStatusCode.BadRequest)]
    [InlineData("{\"id\":\"sbx-nobody\",\"execId\":\"x\"}", HttpStatusCode.NotFound)]
    public async Task WhatIsNoCommand_IsRefused(string body, HttpStatusCode expected) =>
        Assert.Equal(expected, (await shared.Boxes.PostTextAsync(Attach, body.Replace("@", await shared.SandboxAsync("runc"), StringComparison.Ordinal))).Status);

    private static string Text(IEnumerable<StreamedEvent> events) => string.Concat(events.Where(e => e.Name == "stdout").Select(e => (string)e.Data["data"]!));
}
