using System.Net;
using System.Security.Cryptography;
using Corral.Egress.Tests.Lab;
using Corral.Egress.V1;
using Corral.NodeAgent.Host;
using Xunit;

[assembly: CollectionBehavior(DisableTestParallelization = true)]
[assembly: AssemblyFixture(typeof(EgressLab))]

namespace Corral.Egress.Tests.Lab;

/// <summary>One outside and one egress service for all tests that do nothing to the service itself.</summary>
public sealed class EgressLab : IAsyncLifetime
{
    private readonly RequiredHost _host = new("ip", "nft", "curl", "python3", "openssl", "unshare");
    private readonly string _home = Path.Combine(Path.GetTempPath(), "corral-egress-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4)));
    private readonly List<TestBox> _boxes = [];
    private int _count;

    internal Outside Outside { get; private set; } = null!;

    internal RunningEgress Egress { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        if (!_host.IsThere) return;
        Directory.CreateDirectory(Path.Combine(_home, "netns"));
        File.WriteAllText(Path.Combine(_home, "resolv.conf"), "nameserver 100.64.0.1\n");
        // In the suite's own mount namespace: for the programs in the boxes.
        Mounts.Bind(Path.Combine(_home, "resolv.conf"), "/etc/resolv.conf");
        Outside = await Outside.StartAsync();
        File.WriteAllText(Path.Combine(_home, "outside.pem"), Outside.Certificate.ExportCertificatePem());
        FillZone(Outside.Names);
        Egress = await RunningEgress.StartAsync(Path.Combine(_home, "shared"));
    }

    /// <summary>A directory that is deleted at the end.</summary>
    internal string NewHome() => Path.Combine(_home, "other" + Interlocked.Increment(ref _count));

    internal string OutsidePem => Path.Combine(_home, "outside.pem");

    /// <summary>A box under a policy, attached to the shared service or to another.</summary>
    internal async Task<TestBox> BoxAsync(Policy? policy, RunningEgress? egress = null)
    {
        var box = await NewBoxAsync(egress);
        await box.AttachAsync(policy);
        return box;
    }

    /// <summary>A box that is not attached.</summary>
    internal async Task<TestBox> NewBoxAsync(RunningEgress? egress = null)
    {
        RequireHost();
        var box = await TestBox.CreateAsync(egress ?? Egress, Path.Combine(_home, "netns"), $"b{Interlocked.Increment(ref _count)}");
        _boxes.Add(box);
        return box;
    }

    internal void RequireHost() => _host.Require();

    public async ValueTask DisposeAsync()
    {
        if (Egress is not null) await Egress.DisposeAsync();
        foreach (var box in _boxes) box.Dispose();
        if (Outside is not null) await Outside.DisposeAsync();
        if (Directory.Exists(_home)) Directory.Delete(_home, recursive: true);
    }

    private static void FillZone(Nameserver names)
    {
        void Add(string name, params string[] addresses) => names.Zone[name] = [.. addresses.Select(IPAddress.Parse)];
        Add("allowed.test", "203.0.113.10");
        Add("other.test", "203.0.113.11");
        Add("transform.test", "203.0.113.10");
        Add("evil.test", "203.0.113.66");
        Add("six.test", "2001:db8:113::10");
        Add("private.test", "10.99.0.5");
        Add("loopback.test", "127.0.0.1");
        Add("metadata.test", "169.254.169.254");
        Add("host.test", "203.0.113.1");
        Add("gate.test", "100.64.0.1");
        Add("mixed.test", "127.0.0.1", "10.99.0.5", "203.0.113.10");
        Add("mapped.test", "::ffff:10.99.0.5");
        Add("nat64.test", "64:ff9b::a63:5");
        Add("sixtofour.test", "2002:a63:5::1");
        Add("linklocal.test", "fe80::1");
        Add("loopback6.test", "::1");
        Add("dead.test", "203.0.113.99");
    }
}
