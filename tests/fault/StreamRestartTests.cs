using System.Net;
using Corral.Fault.Tests.Lab;
using Corral.Tests.Instance;
using Xunit;

namespace Corral.Fault.Tests;

/// <summary>Streams and terminals outlive the processes that carry them.</summary>
public sealed class StreamRestartTests(FaultyInstance faulty) : IClassFixture<FaultyInstance>
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private Instance Instance => faulty.Instance;

    [Theory]
    [InlineData("gateway", "runc")]
    [InlineData("node-agent", "runc")]
    [InlineData("node-agent", "runsc")]
    public async Task AServiceKilledDuringACommand_TheClientComesBack_AndGetsAllOfItAndTheTrueEndOnce(string service, string isolation)
    {
        var id = await Instance.Boxes.ReadyAsync(new() { ["runtime"] = "base", ["isolation"] = isolation });
        var seen = new List<StreamedEvent>();
        string execId;
        using (var first = await EventSource.PostAsync(Instance.Boxes, "/v1/sandboxes/exec/stream", new() { ["id"] = id, ["command"] = "until [ -e stop ]; do echo line $((++i)); sleep 0.1; done; exit 17" }))
        {
            execId = (string)(await first.NextAsync())!.Data["execId"]!;
            seen.Add((await first.NextAsync())!);
            await Instance.KillAsync(service);
            seen.AddRange((await first.RestAsync()).Where(e => e.Name == "stdout"));
        }

        Assert.DoesNotContain(seen, e => e.Name == "exit");
        using var second = await AgainAsync(() => EventSource.PostAsync(Instance.Boxes, "/v1/sandboxes/exec/attach", new() { ["id"] = id, ["execId"] = execId }, lastEventId: seen[^1].Id));
        await AgainAsync(() => Instance.Boxes.ExecAsync(id, "touch stop"));
        seen.AddRange((await second.RestAsync()).Where(e => e.Name != "started"));
        var lines = string.Concat(seen.Where(e => e.Name == "stdout").Select(e => (string)e.Data["data"]!)).TrimEnd('\n').Split('\n');
        Assert.Equal(Enumerable.Range(1, lines.Length).Select(i => $"line {i}"), lines);
        Assert.Equal(17, (int)Assert.Single(seen, e => e.Name == "exit").Data["exitCode"]!);
        await Instance.Boxes.EndAsync(id);
    }

    [Theory]
    [InlineData("gateway")]
    [InlineData("node-agent")]
    public async Task AServiceKilledUnderATerminal_TheClientComesBackToTheSameShell(string service)
    {
        var id = await Instance.Boxes.ReadyAsync(new() { ["runtime"] = "base", ["isolation"] = "runc" });
        var url = (string)(await TerminalClient.OpenAsync(Instance.Boxes, id))["url"]!;
        using var first = await TerminalClient.ConnectAsync(url);
        await first.TypeAsync("stty -echo; secret=kept; echo be''fore; until [ -e stop ]; do echo tick $((++i)); sleep 0.1; done; echo la''st\r");
        await first.UntilAsync("before");
        await first.UntilAsync("tick 2\r\n");
        await Instance.KillAsync(service);
        await first.UntilClosedAsync();
        using var second = await AgainAsync(() => TerminalClient.ConnectAsync(url, first.Session, first.Offset));
        Assert.Equal(first.Session, second.Session);
        await second.UntilAsync("tick ");
        await AgainAsync(() => Instance.Boxes.ExecAsync(id, "touch stop"));
        await second.UntilAsync("last\r\n");
        await second.TypeAsync("echo $secret-still\r");
        await second.UntilAsync("kept-still");
        await Instance.Boxes.EndAsync(id);
    }

    private static async Task<T> AgainAsync<T>(Func<Task<T>> attempt)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (true)
        {
            try
            {
                return await attempt();
            }
            catch (Exception problem) when (!patience.IsCancellationRequested && problem is HttpRequestException or InvalidOperationException or System.Net.WebSockets.WebSocketException)
            {
                await Task.Delay(50);
            }
        }
    }
}
