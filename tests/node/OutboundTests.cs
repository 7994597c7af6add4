using Corral.Egress.V1;
using Corral.GuestLink;
using Corral.Hosting;
using Corral.NodeAgent.Host.Cgroups;
using Corral.NodeAgent.Outbound;
using Corral.NodeAgent.Sandboxes;
using Corral.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Corral.NodeAgent.Tests;

/// <summary>Gates of sandboxes are egress's before their tenant is inside, and only then.</summary>
public sealed class OutboundTests
{
    private const string OwnCertificate = "/etc/ssl/certs/corral.pem";

    [Theory]
    [InlineData("runc", false)]
    [InlineData("runc", true)]
    [InlineData("runsc", false)]
    [InlineData("runsc", true)]
    public async Task A_sandbox_runs_once_its_gate_is_attached_and_its_authority_trusted(string isolation, bool warm)
    {
        RequiredHost.Check(isolation);
        await using var egress = await EgressDouble.StartAsync();
        await using var node = await TestNode.StartAsync(egress: egress.Address);
        if (warm) await WarmAsync(node, isolation);
        var order = Order(node, isolation);
        egress.BeforeAttach = _ =>
        {
            Assert.DoesNotContain(node.Table.List(), view => view.Phase == SandboxPhase.Running);
            return Task.CompletedTask;
        };

        Assert.Equal(warm, Assert.IsType<StartOutcome.Running>(await node.Table.StartAsync(order, CancellationToken.None)).Warm);

        var box = node.Table.Find(order.SandboxId)!;
        var gate = egress.Gates[order.SandboxId];
        Assert.Equal((1, "org-test", box.Network.GatePath, order.Policy), (gate.Generation, gate.OrganizationId, gate.GateNamespace, gate.Policy));
        Assert.Equal(1, node.Table.List().Single().PolicyVersion);
        Assert.Equal("1", await node.ShAsync(box, $"grep -c 'BEGIN CERTIFICATE' {OwnCertificate}"));
        Assert.Equal(OwnCertificate, await node.UserShAsync(box, "echo $NODE_EXTRA_CA_CERTS"));
        Assert.Equal("/etc/ssl/certs/ca-certificates.crt", await node.UserShAsync(box, "echo $SSL_CERT_FILE"));

        await node.Table.EndAsync(order.SandboxId, 1, CancellationToken.None);
        Assert.Empty(egress.Gates);
    }

    [Fact]
    public async Task A_warm_box_trusts_its_authority_before_it_is_claimed()
    {
        RequiredHost.Check("runc");
        await using var egress = await EgressDouble.StartAsync();
        await using var node = await TestNode.StartAsync(egress: egress.Address);
        await WarmAsync(node, "runc");
        var trusted = "";
        egress.BeforeAttach = request =>
        {
            trusted = egress.Prepared[request.GateNamespace];
            return Task.CompletedTask;
        };

        var box = await node.RunAsync(Order(node, "runc"));

        Assert.Equal(trusted, box.Trusted);
        Assert.Equal(trusted.Trim(), await node.ShAsync(box, $"cat {OwnCertificate}"));
    }

    [Fact]
    public async Task What_the_tenant_sets_goes_before_the_trust_variables()
    {
        RequiredHost.Check("runc");
        await using var egress = await EgressDouble.StartAsync();
        await using var node = await TestNode.StartAsync(egress: egress.Address);
        var order = Order(node, "runc") with { Environment = new Dictionary<string, string> { ["SSL_CERT_FILE"] = "/mine" } };

        var box = await node.RunAsync(order);

        Assert.Equal("/mine", await node.UserShAsync(box, "echo $SSL_CERT_FILE"));
    }

    [Fact]
    public async Task Without_egress_nothing_is_started_and_no_warm_box_is_spent()
    {
        RequiredHost.Check("runc");
        await using var egress = await EgressDouble.StartAsync();
        await using var node = await TestNode.StartAsync(egress: egress.Address);
        await WarmAsync(node, "runc");
        var before = node.Get<WarmPool>().Counts()[new WarmKind("base", "runc")];
        await egress.StopAsync();
        await Eventually.Async("the node knows that egress is away", () => node.Get<GateAttacher>().IsAway);

        Assert.IsType<StartOutcome.NoEgress>(await node.Table.StartAsync(Order(node, "runc"), CancellationToken.None));

        Assert.Equal(before, node.Get<WarmPool>().Counts()[new WarmKind("base", "runc")]);
        Assert.Empty(node.Table.List());
        await egress.RestartAsync();
        await node.RunAsync(Order(node, "runc"));
    }

    [Fact]
    public async Task A_policy_that_egress_refuses_starts_nothing_and_leaves_nothing()
    {
        RequiredHost.Check("runc");
        await using var egress = await EgressDouble.StartAsync();
        await using var node = await TestNode.StartAsync(egress: egress.Address);
        egress.BeforeAttach = _ => throw RpcErrors.InvalidArgument("policy", "No.");

        Assert.IsType<StartOutcome.Failed>(await node.Table.StartAsync(Order(node, "runc"), CancellationToken.None));

        Assert.Equal("", Footprint.Of(node));
        Assert.Empty(node.Get<GateAttacher>().Boxes);
    }

    [Fact]
    public async Task A_new_egress_is_given_every_gate_again_and_its_new_authority_is_trusted()
    {
        RequiredHost.Check("runc");
        await using var egress = await EgressDouble.StartAsync();
        await using var node = await TestNode.StartAsync(egress: egress.Address);
        var order = Order(node, "runc");
        var box = await node.RunAsync(order);
        var before = await node.ShAsync(box, $"cat {OwnCertificate}");
        await node.Get<GateAttacher>().UpdateAsync(box, Policy(7), CancellationToken.None);

        await egress.StopAsync();
        await Eventually.Async("the node says that nothing leaves", () => node.Table.List().Single().PolicyVersion == 0);
        await egress.RestartAsync();

        await Eventually.Async("the policy is in force again", () => node.Table.List().Single().PolicyVersion == 7);
        Assert.Equal(7, egress.Gates[order.SandboxId].Policy.Version);
        Assert.NotEqual(before, await node.ShAsync(box, $"cat {OwnCertificate}"));
        Assert.Equal("1", await node.ShAsync(box, $"grep -c 'BEGIN CERTIFICATE' {OwnCertificate}"));
    }

    [Fact]
    public async Task A_guest_that_hangs_holds_up_no_gate_for_long()
    {
        RequiredHost.Check("runc");
        await using var egress = await EgressDouble.StartAsync();
        await using var node = await TestNode.StartAsync(egress: egress.Address);
        var (box, other) = (await node.RunAsync(node.Order("runc")), await node.RunAsync(node.Order("runc")));
        var gates = new GateAttacher(node.Get<EgressService.EgressServiceClient>(), new Hasty(), NullLogger<GateAttacher>.Instance);
        await gates.UpdateAsync(box, Policy(1), CancellationToken.None);
        await gates.UpdateAsync(other, Policy(1), CancellationToken.None);
        gates.Disconnected();
        node.Get<ICgroups>().Freeze(box.Name);

        Assert.Equal([other], await RenewAsync(gates));
        Assert.Equal("lost", (await Assert.ThrowsAsync<GuestException>(() => gates.UpdateAsync(box, Policy(1), CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(60)))).Code);

        node.Get<ICgroups>().Thaw(box.Name);
        Assert.Equal([box], await RenewAsync(gates));
    }

    [Fact]
    public async Task A_policy_is_in_force_again_only_once_the_new_authority_is_trusted()
    {
        RequiredHost.Check("runc");
        await using var egress = await EgressDouble.StartAsync();
        await using var node = await TestNode.StartAsync(egress: egress.Address);
        var box = await node.RunAsync(node.Order("runc"));
        var gates = new GateAttacher(node.Get<EgressService.EgressServiceClient>(), TimeProvider.System, NullLogger<GateAttacher>.Instance);
        await gates.UpdateAsync(box, Policy(1), CancellationToken.None);
        var before = box.Trusted;
        await node.ShAsync(box, $"mkdir -p /usr/local/share/ca-certificates/corral.crt.corral-new/in-the-way");

        gates.Disconnected();
        Assert.Empty(await RenewAsync(gates));
        Assert.Equal((0, before), (box.Gate!.InForce, box.Trusted));
        // Egress was there all along: it has the gate, but not the box's trust.
        Assert.Empty(await RenewAsync(gates, new AttachedGate { SandboxId = box.Record.SandboxId, Generation = 1, PolicyVersion = 1 }));
        await Assert.ThrowsAsync<GuestException>(() => gates.UpdateAsync(box, Policy(1), CancellationToken.None));

        await node.ShAsync(box, $"rm -r /usr/local/share/ca-certificates/corral.crt.corral-new");
        Assert.Equal(1, await gates.UpdateAsync(box, Policy(1), CancellationToken.None));
        Assert.NotEqual(before, box.Trusted);
        Assert.Equal(box.Trusted.Trim(), await node.ShAsync(box, $"cat {OwnCertificate}"));
    }

    [Fact]
    public async Task A_policy_is_replaced_by_newer_ones_only()
    {
        RequiredHost.Check("runc");
        await using var egress = await EgressDouble.StartAsync();
        await using var node = await TestNode.StartAsync(egress: egress.Address);
        var order = Order(node, "runc");
        var box = await node.RunAsync(order);
        var gates = node.Get<GateAttacher>();

        Assert.Equal(3, await gates.UpdateAsync(box, Policy(3), CancellationToken.None));
        Assert.Equal(3, await gates.UpdateAsync(box, Policy(2), CancellationToken.None));

        Assert.Equal(3, egress.Gates[order.SandboxId].Policy.Version);
        Assert.Equal(1, egress.Attachments);
    }

    [Fact]
    public async Task A_policy_that_came_while_egress_was_away_is_in_force_once_it_is_back()
    {
        RequiredHost.Check("runc");
        await using var egress = await EgressDouble.StartAsync();
        await using var node = await TestNode.StartAsync(egress: egress.Address);
        var order = Order(node, "runc");
        var box = await node.RunAsync(order);
        await egress.StopAsync();

        await Assert.ThrowsAsync<EgressUnavailableException>(() => node.Get<GateAttacher>().UpdateAsync(box, Policy(2), CancellationToken.None));
        await egress.RestartAsync();

        await Eventually.Async("the policy is in force", () => node.Table.List().Single().PolicyVersion == 2);
        Assert.Equal(2, egress.Gates[order.SandboxId].Policy.Version);
    }

    [Fact]
    public async Task A_node_that_restarts_says_that_nothing_is_in_force_until_it_is_told_and_leaves_the_gates_that_it_adopts()
    {
        RequiredHost.Check("runc");
        await using var egress = await EgressDouble.StartAsync();
        var home = TestNode.NewHome();
        var first = await TestNode.StartAsync(home, keep: true, egress: egress.Address);
        var order = Order(first, "runc");
        await first.RunAsync(order);
        await first.DisposeAsync();
        egress.Gates["sbx-nobodys"] = new AttachRequest { SandboxId = "sbx-nobodys", Generation = 1, Policy = Policy(1) };

        await using var second = await TestNode.StartAsync(home, egress: egress.Address);

        await Eventually.Async("a gate that is nobody's is let go", () => !egress.Gates.ContainsKey("sbx-nobodys"));
        Assert.Contains(order.SandboxId, egress.Gates.Keys);
        Assert.Equal(0, second.Table.List().Single().PolicyVersion);
        Assert.Equal(4, await second.Get<GateAttacher>().UpdateAsync(second.Table.Find(order.SandboxId)!, Policy(4), CancellationToken.None));
        Assert.Equal(4, second.Table.List().Single().PolicyVersion);
        await second.Table.EndAsync(order.SandboxId, 1, CancellationToken.None);
        Assert.Empty(egress.Gates);
    }

    [Fact]
    public async Task A_sandbox_that_is_adopted_lets_its_gate_go_even_if_it_ends_before_its_policy_is_told_again()
    {
        RequiredHost.Check("runc");
        await using var egress = await EgressDouble.StartAsync();
        var home = TestNode.NewHome();
        var first = await TestNode.StartAsync(home, keep: true, egress: egress.Address);
        var order = Order(first, "runc");
        await first.RunAsync(order);
        await first.DisposeAsync();
        await using var second = await TestNode.StartAsync(home, egress: egress.Address);
        Assert.Contains(order.SandboxId, egress.Gates.Keys);

        await second.Table.EndAsync(order.SandboxId, 1, CancellationToken.None);

        Assert.Empty(egress.Gates);
    }

    private static SandboxOrder Order(TestNode node, string isolation) => node.Order(isolation) with { Policy = Policy(1) };

    private static Policy Policy(long version) => new() { Version = version, Mode = PolicyMode.AllowAll };

    private static Task<IReadOnlyList<Box>> RenewAsync(GateAttacher gates, params AttachedGate[] there) =>
        gates.ConnectedAsync(there.ToDictionary(gate => (gate.SandboxId, gate.Generation)), CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(60));

    private static async Task WarmAsync(TestNode node, string isolation)
    {
        var kind = new WarmKind("base", isolation);
        node.Get<WarmPool>().SetTargets([KeyValuePair.Create(kind, 1)]);
        await Eventually.Async("the pool is warm", () => node.Get<WarmPool>().Counts().GetValueOrDefault(kind) >= 1);
    }

    // Patience ends after a fifth of it.
    private sealed class Hasty : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => base.CreateTimer(callback, state, dueTime / 5, period);
    }
}
