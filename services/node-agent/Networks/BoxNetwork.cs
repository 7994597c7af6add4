using System.Net;
using Corral.NodeAgent.Host;

namespace Corral.NodeAgent.Networks;

/// <summary>
/// The network of one box: its own namespace, and a gate joined to it by a veth. There is no uplink in either. Both are kept alive by bind
/// mounts, so that they outlive the node-agent.
/// </summary>
internal sealed class BoxNetwork : IDisposable
{
    /// <summary>The gate's address, and the box's only way: 100.64.0.1.</summary>
    public static readonly IPAddress GateAddress = new([100, 64, 0, 1]);

    /// <summary>The box's address, the same in every box: 100.64.0.2.</summary>
    public static readonly IPAddress BoxAddress = new([100, 64, 0, 2]);

    private const byte Prefix = 30;
    private const int LinkIndex = 2;
    private static readonly VethEnd GateEnd = new("gate0", LinkIndex, [0x02, 0x64, 0x40, 0, 0, 1]);
    private static readonly VethEnd BoxEnd = new("eth0", LinkIndex, [0x02, 0x64, 0x40, 0, 0, 2]);

    // Whatever the box sends, the egress service's sockets in here get it or nobody does. With none there, every connection is refused.
    private const string Rules = """
        table inet corral {
          chain capture {
            type nat hook prerouting priority dstnat;
            meta l4proto { tcp, udp } th dport 53 dnat ip to 100.64.0.1:53
            meta l4proto tcp dnat ip to 100.64.0.1:15001
          }
          chain refuse {
            type filter hook prerouting priority filter; policy accept;
            ct state established,related accept
            ct status dnat accept
            ip daddr 100.64.0.1 meta l4proto { tcp, udp } th dport 53 accept
            reject with icmpx type admin-prohibited
          }
          chain input {
            type filter hook input priority filter; policy drop;
            ct state established,related accept
            ip daddr 100.64.0.1 tcp dport { 53, 15001 } accept
            ip daddr 100.64.0.1 udp dport 53 accept
          }
          chain forward { type filter hook forward priority filter; policy drop; }
        }

        """;

    private BoxNetwork(string directory, string name)
    {
        Name = name;
        BoxPath = Path.Combine(directory, name + ".box");
        GatePath = Path.Combine(directory, name + ".gate");
        Box = Fd.Open(BoxPath, Libc.ORdOnly);
        Gate = Fd.Open(GatePath, Libc.ORdOnly);
    }

    public string Name { get; }

    public string BoxPath { get; }

    public string GatePath { get; }

    public Fd Box { get; }

    public Fd Gate { get; }

    /// <summary>Makes a network. Must run on a thread of its own: it leaves that in the gate.</summary>
    public static BoxNetwork Create(string directory, string name)
    {
        var box = Path.Combine(directory, name + ".box");
        var gate = Path.Combine(directory, name + ".gate");
        NewNamespace(box);
        using (var links = new Netlink()) links.SetUp(1);
        NewNamespace(gate);
        var network = new BoxNetwork(directory, name);
        using (var links = new Netlink())
        {
            links.CreateVeth(GateEnd, BoxEnd, network.Box);
            links.AddAddress(LinkIndex, GateAddress, Prefix);
            links.SetUp(LinkIndex);
            links.AddNeighbour(LinkIndex, BoxAddress, BoxEnd.Address);
        }

        HostProcess.Require(HostProcess.Locate("nft"), ["-f", "-"], Rules);
        Enter(network.Box);
        using (var links = new Netlink())
        {
            links.AddAddress(LinkIndex, BoxAddress, Prefix);
            links.SetUp(LinkIndex);
            links.AddDefaultRoute(LinkIndex, GateAddress);
        }

        return network;
    }

    /// <summary>Opens a network that an earlier node-agent made, or null when it is not whole.</summary>
    public static BoxNetwork? TryOpen(string directory, string name)
    {
        var mounted = Mounts.Below(directory);
        return mounted.Contains(Path.Combine(directory, name + ".box")) && mounted.Contains(Path.Combine(directory, name + ".gate"))
            ? new BoxNetwork(directory, name)
            : null;
    }

    public static void Enter(Fd space)
    {
        // Held: once closed, its number may be another's.
        var held = false;
        try
        {
            space.DangerousAddRef(ref held);
            Libc.Check(Libc.setns(space.Value, Libc.CloneNewNet), "enter network namespace");
        }
        finally
        {
            if (held) space.DangerousRelease();
        }
    }

    /// <summary>Lets the kernel have the network back, once nobody is in it.</summary>
    public static void Remove(string directory, string name)
    {
        foreach (var path in new[] { Path.Combine(directory, name + ".box"), Path.Combine(directory, name + ".gate") })
        {
            Mounts.Detach(path);
            File.Delete(path);
        }
    }

    public void Dispose()
    {
        Box.Dispose();
        Gate.Dispose();
    }

    private static void NewNamespace(string path)
    {
        Libc.Check(Libc.unshare(Libc.CloneNewNet), "unshare network namespace");
        // Before any link is up: no IPv6 address, not even a link-local one, ever appears.
        foreach (var scope in new[] { "all", "default" })
        {
            var file = $"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6";
            if (File.Exists(file)) File.WriteAllText(file, "1");
        }

        using (File.Create(path))
        {
        }

        Mounts.Bind("/proc/thread-self/ns/net", path);
    }
}
