using System.Net;
using System.Text.Json.Nodes;
using Corral.Fault.Tests.Lab;
using Corral.Tests.Instance;
using Xunit;

namespace Corral.Fault.Tests;

/// <summary>What is promised when a process dies, or Redis does.</summary>
public sealed class CrashTests(FaultyInstance faulty) : IClassFixture<FaultyInstance>
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private Instance Instance => faulty.Instance;

    [Theory]
    [InlineData("sessions")]
    [InlineData("scheduler")]
    [InlineData("gateway")]
    [InlineData("node-agent")]
    public async Task AServiceKilledDuringCreates_LeavesEachSandboxReadyOrFailedWithAReason(string service)
    {
        var creates = Enumerable.Range(0, 6).Select(i => CreateAsync(i % 2 == 0 ? "runc" : "runsc")).ToList();
        await Instance.KillAsync(service);
        var answers = await Task.WhenAll(creates);

        var accepted = answers.Where(a => a?.Status == HttpStatusCode.Created).Select(a => (string)a!.Body!["id"]!).ToList();
        foreach (var id in accepted)
        {
            var session = await SettledAsync(id);
            if ((string)session["status"]! == "failed")
            {
                Assert.False(string.IsNullOrEmpty((string?)session["failureReason"]), session.ToJsonString());
            }
            else
            {
                Assert.Equal("ok\n", (string)(await EventuallyExecAsync(id))["stdout"]!);
            }
        }

        var after = await EventuallyReadyAsync();
        await EndAllAsync();
        Assert.NotEmpty(after);
        await NothingLeftAsync();
    }

    [Fact]
    public async Task ASandbox_OutlivesItsNodeAgent()
    {
        var id = await EventuallyReadyAsync();
        await Instance.Boxes.ExecAsync(id, "echo kept > /workspace/kept; (sleep 600 >/dev/null 2>&1 &)");

        await Instance.KillAsync("node-agent");
        var read = await EventuallyAsync(() => Instance.Boxes.GetAsync($"/v1/sandboxes/fs/read?id={id}&path=kept"), a => a.Status == HttpStatusCode.OK);
        var running = await EventuallyExecAsync(id, "pgrep -fc '^sleep 600'");
        await EndAllAsync();

        Assert.Equal("kept\n", (string)read.Body!["content"]!);
        Assert.Equal("1", ((string)running["stdout"]!).Trim());
        await NothingLeftAsync();
    }

    [Fact]
    public async Task RedisKilled_RequestsAnswer503_AndNothingAcknowledgedIsLost()
    {
        var id = await EventuallyReadyAsync();

        await Instance.KillAsync("redis");
        var during = new List<Answer>();
        var after = await EventuallyAsync(
            async () =>
            {
                var answer = await Instance.Boxes.GetAsync($"/v1/sandboxes?id={id}");
                during.Add(answer);
                return answer;
            },
            a => a.Status == HttpStatusCode.OK);
        var fresh = await EventuallyReadyAsync();
        await EndAllAsync();

        Assert.Equal(id, (string)after.Body!["id"]!);
        Assert.NotEqual(id, fresh);
        Assert.All(during.Where(a => a.Status != HttpStatusCode.OK), a =>
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, a.Status);
            Assert.True(a.Headers.RetryAfter?.Delta > TimeSpan.Zero);
        });
        await NothingLeftAsync();
    }

    private async Task<Answer?> CreateAsync(string isolation)
    {
        try
        {
            return await Instance.Boxes.PostAsync("/v1/sandboxes", new() { ["runtime"] = "base", ["isolation"] = isolation });
        }
        catch (HttpRequestException)
        {
            // The gateway was the one that died: this create was not acknowledged.
            return null;
        }
    }

    private async Task<string> EventuallyReadyAsync()
    {
        var created = await EventuallyAsync(() => CreateAsync("runc"), a => a?.Status == HttpStatusCode.Created);
        var id = (string)created!.Body!["id"]!;
        await EventuallyAsync(() => Instance.Boxes.GetAsync($"/v1/sandboxes?id={id}"), a => (string?)a.Body?["status"] is "ready" or "active");
        return id;
    }

    private async Task<JsonNode> EventuallyExecAsync(string id, string command = "echo ok") =>
        (await EventuallyAsync(
            () => Instance.Boxes.PostAsync("/v1/sandboxes/exec", new() { ["id"] = id, ["command"] = command }),
            a => a.Status == HttpStatusCode.OK)).Body!;

    private async Task<JsonNode> SettledAsync(string id) =>
        (await EventuallyAsync(
            () => Instance.Boxes.GetAsync($"/v1/sandboxes?id={id}"),
            a => (string?)a.Body?["status"] is "ready" or "active" or "failed")).Body!;

    private async Task EndAllAsync()
    {
        var list = await EventuallyAsync(() => Instance.Boxes.GetAsync("/v1/sandboxes?limit=1000"), a => a.Status == HttpStatusCode.OK);
        var live = list.Body!["items"]!.AsArray().Where(i => (string)i!["status"]! is not ("ended" or "failed")).Select(i => (string)i!["id"]!).ToList();
        foreach (var id in live)
        {
            await EventuallyAsync(() => Instance.Boxes.EndAsync(id), a => a.Status == HttpStatusCode.OK);
            await EventuallyAsync(() => Instance.Boxes.GetAsync($"/v1/sandboxes?id={id}"), a => (string?)a.Body?["status"] is "ended" or "failed");
        }
    }

    // The node's journal names whatever a sandbox still uses; a tenant's entry goes last, when all of it is gone.
    private async Task NothingLeftAsync() =>
        await EventuallyAsync(
            () => Task.FromResult(Directory.EnumerateFiles(Path.Combine(Instance.Home, "node"), "*sbx-*", SearchOption.AllDirectories).ToList()),
            left => left.Count == 0);

    private async Task<T> EventuallyAsync<T>(Func<Task<T>> probe, Func<T, bool> done)
    {
        using var patience = new CancellationTokenSource(Patience);
        object? last = null;
        while (!patience.IsCancellationRequested)
        {
            try
            {
                var value = await probe();
                if (done(value))
                {
                    return value;
                }

                last = value;
            }
            catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException or IOException)
            {
                last = exception.Message;
            }

            await Task.Delay(50);
        }

        throw new TimeoutException($"Waited {Patience}; saw last: {last}\n{await Instance.LogsAsync()}");
    }
}
