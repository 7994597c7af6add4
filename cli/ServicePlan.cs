using Corral.Hosting;

namespace Corral.Cli;

/// <summary>How one process of the instance is started.</summary>
internal sealed record ServicePlan(string Name, string Program, IReadOnlyList<string> Arguments, IReadOnlyDictionary<string, string> Variables)
{
    private static readonly Dictionary<string, string> Nothing = [];

    // What carries every byte of the sandboxes for days is compiled for what it carries, and handles a socket where it learns of it: docs/decisions/0016.
    private static readonly Dictionary<string, string> Steady = new()
    {
        ["DOTNET_TieredPGO"] = "1",
        ["DOTNET_ReadyToRun"] = "0",
        ["DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS"] = "1",
    };

    /// <summary>The services that run here: all, or those that <c>CORRAL_SERVICES</c> lists.</summary>
    public static IReadOnlyList<ServicePlan> All() =>
        Environment.GetEnvironmentVariable("CORRAL_SERVICES") is { Length: > 0 } listed
            ? [.. Everything().Where(plan => listed.Split(',', StringSplitOptions.TrimEntries).Contains(plan.Name))]
            : Everything();

    /// <summary>The program of a service, as it was published.</summary>
    public static string ProgramOf(string assembly) => Path.Combine(InstanceSettings.Repository, "artifacts", "publish", assembly, "release", assembly);

    private static List<ServicePlan> Everything() =>
    [
        .. InstanceSettings.HasOwnRedis ? [Redis()] : Array.Empty<ServicePlan>(),
        Service("scheduler", "Corral.Scheduler"),
        Service("sessions", "Corral.Sessions"),
        Service("egress", "Corral.Egress", new(Steady)),
        Service("node-agent", "Corral.NodeAgent", new() { ["CORRAL_CONFIG_Node__GuestBinary"] = Path.Combine(InstanceSettings.Repository, "artifacts", "guest", "corral-guest") }),
        Service("agent-bridge", "Corral.AgentBridge"),
        Service("gateway", "Corral.Gateway"),
    ];

    // On virtual machines that do not tell the size of the processor's cache, the runtime would collect garbage at every 256 KiB.
    private static ServicePlan Service(string name, string assembly, Dictionary<string, string>? environment = null) =>
        new(name, ProgramOf(assembly), [], new Dictionary<string, string>(environment ?? Nothing) { ["DOTNET_GCgen0size"] = "1000000" });

    // Every write reaches the disk before it is acknowledged; nobody but this instance's user can connect.
    private static ServicePlan Redis() => new("redis", "/usr/bin/redis-server",
    [
        "--port", "0", "--unixsocket", CorralPaths.Socket("redis"), "--unixsocketperm", "600", "--dir", Path.Combine(CorralPaths.Home, "redis"),
        "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--daemonize", "no", "--maxmemory-policy", "noeviction",
    ], Nothing);
}
