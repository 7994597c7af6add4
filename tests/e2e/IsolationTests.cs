using System.Text.Json.Nodes;
using Xunit;

namespace Corral.EndToEnd.Tests;

/// <summary>What a sandbox can see and reach, tried from inside through the public API, on both runtimes.</summary>
public sealed class IsolationTests(SharedInstance shared)
{
    public static TheoryData<string, string, string> Attempts()
    {
        var data = new TheoryData<string, string, string>();
        foreach (var isolation in new[] { "runc", "runsc" })
        {
            data.Add(isolation, "a default route out", "curl -fsS -m 3 http://192.0.2.1/ ; test $? -ne 0 && echo refused");
            data.Add(isolation, "the host's loopback", "curl -fsS -m 3 http://127.0.0.1:8080/ ; test $? -ne 0 && echo refused");
            data.Add(isolation, "the gate", "curl -fsS -m 3 http://100.64.0.1/ ; test $? -ne 0 && echo refused");
            data.Add(isolation, "the metadata service", "curl -fsS -m 3 http://169.254.169.254/ ; test $? -ne 0 && echo refused");
            data.Add(isolation, "a name", "getent hosts example.com || echo refused");
            data.Add(isolation, "mount", "mount -t tmpfs none /mnt 2>/dev/null || echo refused");
            // gVisor lets anybody make the file: there is nothing behind it.
            data.Add(isolation, "a device", "mknod /tmp/disk b 8 0 2>/dev/null; head -c 1 /tmp/disk 2>/dev/null || echo refused");
            data.Add(isolation, "the kernel's settings", "echo 1 > /proc/sys/kernel/sysrq 2>/dev/null || echo refused");
            data.Add(isolation, "the guest's memory", "cat /proc/1/environ /proc/1/mem 2>/dev/null || echo refused");
            data.Add(isolation, "killing the guest", "kill -9 1 2>/dev/null || echo refused");
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Attempts))]
    public async Task FromInside_IsRefused(string isolation, string what, string command)
    {
        var id = await shared.SandboxAsync(isolation);

        var result = await shared.Boxes.ExecAsync(id, command, new() { ["timeout"] = 30_000 });

        Assert.True(((string)result["stdout"]!).Contains("refused", StringComparison.Ordinal), $"{what}: {result}");
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task OnlyItsOwnProcesses_AreSeen(string isolation)
    {
        var id = await shared.SandboxAsync(isolation);

        var result = await shared.Boxes.ExecAsync(id, "ps -e --no-headers | wc -l; ls /var/lib/corral 2>&1");

        Assert.InRange(int.Parse(((string)result["stdout"]!).Split('\n')[0], System.Globalization.CultureInfo.InvariantCulture), 1, 12);
        Assert.Contains("No such file", (string)result["stdout"]!, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task AForkBomb_StaysInside_AndTheSandboxAnswersAfterwards(string isolation)
    {
        var id = await shared.Boxes.ReadyAsync(new() { ["runtime"] = "base", ["isolation"] = isolation });

        await shared.Boxes.ExecAsync(id, "bomb() { bomb | bomb & }; bomb; sleep 3", new() { ["timeout"] = 4_000 });
        await shared.Boxes.ExecAsync(id, "pkill -9 -u user bash; pkill -9 -u user sh; true", new() { ["timeout"] = 60_000, ["user"] = "root" });
        var other = await shared.Boxes.ExecAsync(await shared.SandboxAsync("runc"), "echo fine");
        await shared.Boxes.EndAsync(id);
        await shared.Boxes.UntilAsync(id, "ended");

        Assert.Equal("fine\n", (string)other["stdout"]!);
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task TheRuntimeCall_TellsLimitsAndPorts(string isolation)
    {
        var id = await shared.SandboxAsync(isolation);

        var runtime = (await shared.Boxes.GetAsync($"/v1/sandboxes/runtime?id={id}")).Body!;

        Assert.Equal(id, (string)runtime["id"]!);
        Assert.Equal(2, (double)runtime["resources"]!["cpu"]!["limit"]!);
        Assert.Equal(4L << 30, (long)runtime["resources"]!["memory"]!["limitBytes"]!);
        Assert.Equal(512, (int)runtime["resources"]!["processes"]!["limit"]!);
        Assert.IsType<JsonArray>(runtime["ports"]);
        Assert.True(runtime.AsObject().ContainsKey("opencode"));
        Assert.True(runtime.AsObject().ContainsKey("lastTaskReport"));
    }
}
