using System.Diagnostics;
using System.Text.Json;
using Corral.Tests.Instance;
using Xunit;

[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace Corral.Cli.Tests;

/// <summary>What <c>./corral</c> promises of a whole instance.</summary>
public sealed class UpTests
{
    private static readonly string[] Services = ["redis", "scheduler", "sessions", "egress", "node-agent", "agent-bridge", "gateway"];

    [Fact]
    public async Task Status_TellsTheEndpointAndEveryServiceWithItsProcess()
    {
        await using var instance = await Instance.StartAsync("cli");

        using var status = JsonDocument.Parse(await instance.CorralAsync("status", "--json"));
        var services = await instance.ServicesAsync();

        Assert.Equal(instance.Endpoint.ToString().TrimEnd('/'), status.RootElement.GetProperty("endpoint").GetString());
        Assert.Equal(Services.Order(), services.Keys.Order());
        Assert.All(services.Values, service => Assert.Equal("ready", service.State));
        Assert.All(services.Values, service => Assert.True(Directory.Exists($"/proc/{service.Pid}")));
    }

    [Fact]
    public async Task Down_LeavesNothingOnTheHost_AndTheNextUpHasTheSameKey()
    {
        await using var instance = await Instance.StartAsync("cli");
        foreach (var isolation in new[] { "runc", "runsc" }) await instance.Boxes.ReadyAsync(new() { ["runtime"] = "base", ["isolation"] = isolation });
        var processes = (await instance.ServicesAsync()).Values.Select(service => service.Pid).ToList();

        await instance.CorralAsync("down");
        var left = Traces(instance.Home);
        await instance.CorralAsync("up", "--detach");
        var key = (await instance.CorralAsync("key")).Trim();

        Assert.Empty(left);
        Assert.All(processes, pid => Assert.False(Directory.Exists($"/proc/{pid}"), $"process {pid} is still there"));
        Assert.Equal(instance.Key, key);
    }

    [Fact]
    public async Task Up_IsRefusedWhereAnInstanceIsUp_AndSaysHowToTakeItDown()
    {
        await using var instance = await Instance.StartAsync("cli");

        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => instance.CorralAsync("up", "--detach"));

        Assert.Contains("./corral down", refused.Message, StringComparison.Ordinal);
        Assert.Equal(200, (int)(await instance.Boxes.GetAsync("/v1/sandboxes")).Status);
    }

    [Fact]
    public async Task Up_IsRefusedWhileAnotherOneIsUnderWay_OrADown()
    {
        await using var instance = await Instance.StartAsync("cli");
        await instance.CorralAsync("down");

        using (new FileStream(Path.Combine(instance.Home, "run", "lock"), FileMode.Open, FileAccess.ReadWrite, FileShare.None))
        {
            var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => instance.CorralAsync("up", "--detach"));
            Assert.Contains("Another ./corral", refused.Message, StringComparison.Ordinal);
        }

        await instance.CorralAsync("up", "--detach");
    }

    [Fact]
    public async Task ASupervisorThatIsKilled_LeavesServicesThatDownStillFinds()
    {
        await using var instance = await Instance.StartAsync("cli");
        using var state = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(instance.Home, "run", "instance.json"), TestContext.Current.CancellationToken));
        using var supervisor = Process.GetProcessById(state.RootElement.GetProperty("supervisor").GetProperty("pid").GetInt32());
        supervisor.Kill();
        await supervisor.WaitForExitAsync(TestContext.Current.CancellationToken);

        await instance.CorralAsync("down");

        Assert.Empty(Traces(instance.Home));
    }

    [Fact]
    public async Task AStateThatCannotBeWritten_KeepsNoServiceFromBeingStartedAgain_NorFromBeingStopped()
    {
        await using var instance = await Instance.StartAsync("cli");
        // As a full disk would: the state's next version cannot be written.
        Directory.CreateDirectory(Path.Combine(instance.Home, "run", "instance.json.new"));
        await instance.KillAsync("scheduler");

        await instance.Boxes.ReadyAsync(new() { ["runtime"] = "base", ["isolation"] = "runc" });
        await instance.CorralAsync("down");

        Assert.Empty(Traces(instance.Home));
    }

    [Fact]
    public async Task KeysAndSockets_AreTheOwnersOnly()
    {
        await using var instance = await Instance.StartAsync("cli");

        foreach (var path in new[] { "keys", "run", "redis", "logs", "bootstrap.key", "keys/secrets.key" })
        {
            var mode = File.GetUnixFileMode(Path.Combine(instance.Home, path));
            Assert.True((mode & (UnixFileMode.GroupRead | UnixFileMode.OtherRead | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite)) == 0, $"{path}: {mode}");
        }
    }

    // Whatever bears the home's name: mounts, processes, control groups and the node's directory under /run.
    private static List<string> Traces(string home)
    {
        var node = Path.Combine(home, "node");
        var prefix = "corral-" + Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(node)))[..8];
        var traces = File.ReadLines("/proc/self/mountinfo").Where(line => line.Contains(home, StringComparison.Ordinal) || line.Contains(prefix, StringComparison.Ordinal)).ToList();
        traces.AddRange(Directory.EnumerateDirectories("/run").Where(path => path.Contains(prefix, StringComparison.Ordinal)));
        traces.AddRange(Directory.EnumerateDirectories("/sys/fs/cgroup").SelectMany(path => Directory.EnumerateDirectories(path).Append(path)).Where(path => path.Contains(prefix, StringComparison.Ordinal)));
        traces.AddRange(Directory.EnumerateDirectories("/proc").Where(path => int.TryParse(Path.GetFileName(path), out _)).Select(CommandLine).Where(line => line.Contains(home, StringComparison.Ordinal) || line.Contains(prefix, StringComparison.Ordinal)));
        if (Directory.Exists(node)) traces.Add(node);
        return traces;
    }

    private static string CommandLine(string process)
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, "cmdline")).Replace('\0', ' ');
        }
        catch (IOException)
        {
            return "";
        }
    }
}
