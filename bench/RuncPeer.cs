using System.Text.Json.Nodes;

namespace Corral.Bench;

/// <summary>Bare <c>runc run</c> with runc's own default bundle on the base template.</summary>
internal sealed class RuncPeer
{
    private readonly string _bundle;
    private int _next;

    private RuncPeer(string bundle) => _bundle = bundle;

    public static async Task<RuncPeer> PrepareAsync(TemplateRoot root)
    {
        var bundle = Path.Combine(root.Folder, "bundle");
        Directory.CreateDirectory(bundle);
        await Command.RunAsync("runc", "spec", "--bundle", bundle);
        var path = Path.Combine(bundle, "config.json");
        var config = JsonNode.Parse(await File.ReadAllTextAsync(path))!;
        config["process"]!["terminal"] = false;
        config["process"]!["args"] = new JsonArray("true");
        // The process's own limits may not exceed the host's.
        config["process"]!.AsObject().Remove("rlimits");
        config["root"]!["path"] = root.Path;
        await File.WriteAllTextAsync(path, config.ToJsonString());
        return new RuncPeer(bundle);
    }

    /// <summary>One life: created, <c>true</c> run in it, gone.</summary>
    public Task RunTrueAsync() => Command.RunAsync("runc", "run", "--bundle", _bundle, $"corral-bench-{Environment.ProcessId}-{Interlocked.Increment(ref _next)}");
}
