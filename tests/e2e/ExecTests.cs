using System.Net;
using System.Text.Json.Nodes;
using Xunit;

namespace Corral.EndToEnd.Tests;

/// <summary>Commands and code, on both runtimes.</summary>
public sealed class ExecTests(SharedInstance shared)
{
    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task AShellLine_AnswersOutputAndTrueExitStatus(string isolation)
    {
        var id = await shared.SandboxAsync(isolation);

        var result = await shared.Boxes.ExecAsync(id, "echo out; echo err >&2; exit 7");

        Assert.Equal(("out\n", "err\n", 7), ((string)result["stdout"]!, (string)result["stderr"]!, (int)result["exitCode"]!));
        Assert.False((bool)result["timedOut"]!);
        Assert.False((bool)result["truncated"]!);
        Assert.True((long)result["durationMs"]! >= 0);
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task WithArguments_NoShellReadsThem(string isolation)
    {
        var id = await shared.SandboxAsync(isolation);

        var result = await shared.Boxes.ExecAsync(id, "printf", new() { ["args"] = new JsonArray("%s\\n", "$HOME; rm -rf /", "a b") });

        Assert.Equal("$HOME; rm -rf /\na b\n", (string)result["stdout"]!);
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task StandardInputAndDirectory_AreTheRequests(string isolation)
    {
        var id = await shared.SandboxAsync(isolation);

        var result = await shared.Boxes.ExecAsync(id, "pwd; cat", new() { ["stdin"] = "línea\n", ["cwd"] = "/tmp" });

        Assert.Equal("/tmp\nlínea\n", (string)result["stdout"]!);
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task ACommandOverItsTime_IsKilledWithAllThatItStarted(string isolation)
    {
        var id = await shared.SandboxAsync(isolation);

        var result = await shared.Boxes.ExecAsync(id, "sleep 987 & sleep 987", new() { ["timeout"] = 500 });
        var left = await shared.Boxes.ExecAsync(id, "pgrep -fc '^sleep 987'");

        Assert.True((bool)result["timedOut"]!);
        Assert.Equal(124, (int)result["exitCode"]!);
        Assert.Equal("0", ((string)left["stdout"]!).Trim());
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task ACommandKilledByASignal_SaysSo(string isolation)
    {
        var id = await shared.SandboxAsync(isolation);

        var result = await shared.Boxes.ExecAsync(id, "kill -TERM $$");

        Assert.Equal(128 + 15, (int)result["exitCode"]!);
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task OutputBeyondFourMebibytes_IsCutAndSaysSo(string isolation)
    {
        var id = await shared.SandboxAsync(isolation);

        var result = await shared.Boxes.ExecAsync(id, "head -c 200000000 /dev/zero | tr '\\0' x");

        Assert.True((bool)result["truncated"]!);
        Assert.Equal(4 * 1024 * 1024, ((string)result["stdout"]!).Length);
        Assert.Equal(0, (int)result["exitCode"]!);
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task AStream_GivesOutputInOrder_ThenExactlyOneExit(string isolation)
    {
        var id = await shared.SandboxAsync(isolation);

        var events = await shared.Boxes.EventsAsync("/v1/sandboxes/exec/stream", new()
        {
            ["id"] = id,
            ["command"] = "for i in 1 2 3; do echo $i; done; echo oops >&2; printf '\\377'; exit 3",
        });

        Assert.Equal("exit", events[^1].Event);
        Assert.Single(events, e => e.Event == "exit");
        Assert.Equal(3, (int)events[^1].Data["exitCode"]!);
        Assert.Equal("oops\n", string.Concat(events.Where(e => e.Event == "stderr").Select(e => (string)e.Data["data"]!)));
        var output = events.Where(e => e.Event == "stdout").ToList();
        Assert.StartsWith("1\n", output[0].Data.ToString().Contains("\"base64\": true", StringComparison.Ordinal) ? "1\n" : (string)output[0].Data["data"]!, StringComparison.Ordinal);
        var bytes = output.SelectMany(e => (bool)e.Data["base64"]! ? Convert.FromBase64String((string)e.Data["data"]!) : System.Text.Encoding.UTF8.GetBytes((string)e.Data["data"]!)).ToArray();
        Assert.Equal([.. "1\n2\n3\n"u8, 0xff], bytes);
        var sequences = events.Where(e => e.Event != "exit").Select(e => (long)e.Data["sequence"]!).ToList();
        Assert.Equal(sequences.Order(), sequences);
    }

    [Theory]
    [InlineData("base", "sh", "echo $((6*7))", "42\n")]
    [InlineData("python", null, "import sys\nprint(6*7, sys.version_info[0])", "42 3\n")]
    [InlineData("bun", null, "const x: number = await Promise.resolve(42);\nconsole.log(x)", "42\n")]
    [InlineData("bun", "javascript", "console.log([1,2,3].map(n => n * 2).join())", "2,4,6\n")]
    public async Task Code_RunsInTheRuntimesLanguage(string runtime, string? language, string code, string expected)
    {
        var id = await shared.SandboxAsync("runc", runtime);

        var answer = await shared.Boxes.PostAsync("/v1/sandboxes/code", new() { ["id"] = id, ["code"] = code, ["language"] = language ?? "" });

        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
        Assert.Equal((expected, 0), ((string)answer.Body!["stdout"]!, (int)answer.Body["exitCode"]!));
    }

    [Theory]
    [InlineData("python", "print(6*7)", "42\n")]
    [InlineData("bun", "console.log(await Promise.resolve(42))", "42\n")]
    public async Task Code_RunsUnderGVisorToo(string runtime, string code, string expected)
    {
        var id = await shared.SandboxAsync("runsc", runtime);

        var answer = await shared.Boxes.PostAsync("/v1/sandboxes/code", new() { ["id"] = id, ["code"] = code });

        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
        Assert.Equal(expected, (string)answer.Body!["stdout"]!);
    }
}
