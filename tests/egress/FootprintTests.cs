using Corral.Egress.Tests.Lab;
using Corral.Egress.V1;
using Corral.NodeAgent.Host;
using Corral.NodeAgent.Networks;
using Grpc.Core;
using Xunit;

namespace Corral.Egress.Tests;

/// <summary>What a thousand sandboxes cost.</summary>
public sealed class FootprintTests(EgressLab lab)
{
    private const int Count = 1000;

    [Fact]
    public async Task ThousandSandboxesWithFullPolicies_AreUnder200Megabytes()
    {
        lab.RequireHost();
        await using var egress = await RunningEgress.StartAsync(lab.NewHome());
        var gates = await HostThread.RunAsync("gates", () => Enumerable.Range(0, Count).Select(_ => NewGate()).ToList());
        try
        {
            var before = Resident();
            var managed = GC.GetTotalMemory(true);
            for (var i = 0; i < Count; i++) await egress.Client.AttachAsync(Order(i, gates[i]));
            var each = (Resident() - before) / Count;
            Console.WriteLine($"{Count} sandboxes: {each >> 10} KiB each, managed {(GC.GetTotalMemory(true) - managed) / Count >> 10} KiB; the whole process, tests included: {Resident() >> 20} MiB");
            Assert.InRange(each, 0, 120 << 10);
            // A thread that was left in a gate would dial from there, and keep it alive.
            var home = new FileInfo("/proc/self/ns/net").LinkTarget;
            Assert.All(Directory.EnumerateDirectories("/proc/self/task"), thread => Assert.Contains(new FileInfo(thread + "/ns/net").LinkTarget, new[] { home, null }));
        }
        finally
        {
            foreach (var gate in gates) gate.Dispose();
        }
    }

    private static Fd NewGate()
    {
        Libc.Check(Libc.unshare(Libc.CloneNewNet), "unshare network namespace");
        using var links = new Netlink();
        links.AddAddress(1, BoxNetwork.GateAddress, 30);
        links.SetUp(1);
        return Fd.Open("/proc/thread-self/ns/net", Libc.ORdOnly);
    }

    private static AttachRequest Order(int i, Fd gate)
    {
        var policy = new Policy { Version = 1, Mode = PolicyMode.Custom };
        policy.AllowDomains.AddRange(Enumerable.Range(0, 50).Select(n => $"*.service-{n}.customer-{i}.example.com"));
        policy.AllowCidrs.AddRange(Enumerable.Range(0, 10).Select(n => $"198.51.{n}.0/24"));
        policy.Transforms.AddRange(Enumerable.Range(0, 20).Select(n => TestBox.Transform($"api-{n}.customer-{i}.example.com")));
        return new AttachRequest
        {
            SandboxId = $"sbx-footprint{i}",
            Generation = 1,
            OrganizationId = "org-test",
            GateNamespace = $"/proc/self/fd/{gate.Value}",
            Policy = policy,
        };
    }

    private static long Resident()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        return Environment.WorkingSet;
    }
}
