using System.Globalization;
using System.Text.RegularExpressions;

namespace Corral.Bench.Egress;

/// <summary>
/// Where clients are: a box behind a gate, as a sandbox is, and for the peers a namespace with a veth to the host. The origin is on the host's
/// loopback. So every way has one veth and one loopback.
/// </summary>
internal sealed partial class BenchNetwork : IAsyncDisposable
{
    /// <summary>The origin's address.</summary>
    public const string Origin = "127.77.0.1";

    /// <summary>The peers' address, on the host's end of their veth.</summary>
    public const string Peers = "10.77.77.1";

    // As the node-agent makes it.
    private const string GateRules = """
        table inet corral {
          chain capture {
            type nat hook prerouting priority dstnat;
            meta l4proto { tcp, udp } th dport 53 dnat ip to 100.64.0.1:53
            meta l4proto tcp dnat ip to 100.64.0.1:15001
          }
        }

        """;

    private const string Mark = "cb";

    private readonly string _prefix = string.Create(CultureInfo.InvariantCulture, $"{Mark}{Environment.ProcessId}");
    private readonly List<string> _namespaces = [];
    private readonly string _folder;

    private BenchNetwork(string folder) => _folder = folder;

    public string Box => _prefix + "-box";

    public string Gate => _prefix + "-gate";

    public string Client => _prefix + "-client";

    public static async Task<BenchNetwork> CreateAsync(string folder)
    {
        var network = new BenchNetwork(folder);
        await network.SweepAsync();
        try
        {
            await network.MakeAsync();
            return network;
        }
        catch
        {
            await network.DisposeAsync();
            throw;
        }
    }

    public static string PathOf(string name) => "/run/netns/" + name;

    /// <summary>Gates that no box is joined to.</summary>
    public async Task<IReadOnlyList<string>> IdleGatesAsync(int count)
    {
        var names = Enumerable.Range(0, count).Select(number => string.Create(CultureInfo.InvariantCulture, $"{_prefix}-idle{number}")).ToList();
        _namespaces.AddRange(names);
        await BatchAsync(names.Select(name => $"netns add {name}"));
        foreach (var name in names)
        {
            await Command.RunAsync("ip", "-n", name, "address", "add", "100.64.0.1/32", "dev", "lo");
        }

        return names;
    }

    public ValueTask DisposeAsync() => RemoveAsync(_namespaces);

    // A bench that was killed left its namespaces, and a veth whose address is ours, too.
    private ValueTask SweepAsync() => RemoveAsync([.. LeftNames().Where(name => Leftover().Match(name) is { Success: true } match && !Directory.Exists("/proc/" + match.Groups[1].Value))]);

    private static IEnumerable<string> LeftNames() =>
        new[] { "/run/netns", "/etc/netns" }.Where(Directory.Exists).SelectMany(Directory.EnumerateFileSystemEntries).Select(path => Path.GetFileName(path)).Distinct();

    private async ValueTask RemoveAsync(IReadOnlyList<string> names)
    {
        await BatchAsync(names.Where(name => File.Exists(PathOf(name))).Select(name => $"netns delete {name}"));
        foreach (var files in names.Select(name => "/etc/netns/" + name).Where(Directory.Exists))
        {
            Directory.Delete(files, recursive: true);
        }
    }

    // One process for a thousand of them.
    private async Task BatchAsync(IEnumerable<string> commands)
    {
        var file = Path.Combine(_folder, "batch");
        await File.WriteAllLinesAsync(file, commands);
        await Command.RunAsync("ip", "-batch", file);
    }

    private async Task MakeAsync()
    {
        foreach (var name in new[] { Box, Gate, Client })
        {
            await AddAsync(name);
            await Command.RunAsync("ip", "-n", name, "link", "set", "lo", "up");
        }

        await Command.RunAsync("ip", "-n", Gate, "link", "add", "gate0", "type", "veth", "peer", "name", "eth0", "netns", Box);
        await EndAsync(Gate, "gate0", "100.64.0.1/30");
        await EndAsync(Box, "eth0", "100.64.0.2/30");
        await Command.RunAsync("ip", "-n", Box, "route", "add", "default", "via", "100.64.0.1");
        var rules = Path.Combine(_folder, "gate.nft");
        await File.WriteAllTextAsync(rules, GateRules);
        await Command.RunAsync("ip", "netns", "exec", Gate, "nft", "-f", rules);
        var veth = _prefix + "h";
        await Command.RunAsync("ip", "link", "add", veth, "type", "veth", "peer", "name", "eth0", "netns", Client);
        await Command.RunAsync("ip", "address", "add", Peers + "/30", "dev", veth);
        await Command.RunAsync("ip", "link", "set", veth, "up");
        await EndAsync(Client, "eth0", "10.77.77.2/30");
        await FileAsync(Box, "resolv.conf", "nameserver 100.64.0.1\n");
        await FileAsync(Client, "hosts", $"{Peers} api.bench.test opaque.bench.test tunnel.bench.test\n");
    }

    private async Task AddAsync(string name)
    {
        await Command.RunAsync("ip", "netns", "add", name);
        _namespaces.Add(name);
    }

    private static async Task EndAsync(string name, string device, string address)
    {
        await Command.RunAsync("ip", "-n", name, "address", "add", address, "dev", device);
        await Command.RunAsync("ip", "-n", name, "link", "set", device, "up");
    }

    // `ip netns exec` puts it in the place of the host's file.
    private static Task FileAsync(string name, string file, string text)
    {
        Directory.CreateDirectory("/etc/netns/" + name);
        return File.WriteAllTextAsync($"/etc/netns/{name}/{file}", text);
    }

    [GeneratedRegex("^" + Mark + "([0-9]+)-")]
    private static partial Regex Leftover();
}
