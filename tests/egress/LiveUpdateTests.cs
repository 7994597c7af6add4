using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Corral.Egress.Dialing;
using Corral.Egress.Flows;
using Corral.Egress.Tests.Lab;
using Corral.Egress.V1;
using Grpc.Core;
using Xunit;

namespace Corral.Egress.Tests;

/// <summary>A policy that changes while connections are open.</summary>
public sealed class LiveUpdateTests(EgressLab lab)
{
    [Fact]
    public async Task OpenConnectionsThatAreForbiddenNow_AreCutBeforeItAnswers_AndOthersStay()
    {
        using var box = await lab.BoxAsync(With(1, ["allowed.test", "other.test"], ["198.51.100.0/24"]));
        using var kept = await box.ConnectAsync("other.test", Outside.Echo);
        using var named = await box.ConnectAsync("allowed.test", Outside.Echo);
        using var listed = await box.ConnectAsync(Outside.Listed, Outside.Echo);
        foreach (var client in new[] { kept, named, listed }) Assert.Equal("hello\n", await client.AskAsync("hello\n"));
        var taken = Stopwatch.StartNew();
        Assert.Equal(2, await box.UpdateAsync(With(2, ["other.test"], [])));
        Assert.InRange(taken.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(1.5));
        Assert.Equal("reset", await named.ReadAllAsync());
        Assert.Equal("reset", await listed.ReadAllAsync());
        Assert.Equal("again\n", await kept.AskAsync("again\n"));
        var record = await box.AuditOfAsync("the cut", r => r.Reason == "POLICY_CHANGED" && r.Name == "allowed.test");
        Assert.True(record.Allowed);
        Assert.Equal("policy:2", await LastPolicyAsync(box));
        Assert.Equal(3, (await box.AskAsync("allowed.test")).Code);
    }

    [Theory]
    [InlineData(PolicyMode.Custom)]
    [InlineData(PolicyMode.AllowAll)]
    public async Task NameThatLeadsWhereNoRangeLetsItAnyMore_IsCut_ThoughTheNameStaysAllowed(PolicyMode mode)
    {
        using var box = await lab.BoxAsync(With(1, ["private.test", "other.test"], ["10.99.0.0/24", "198.51.100.0/24"]));
        using var client = await box.ConnectAsync("private.test", Outside.Echo);
        using var kept = await box.ConnectAsync("other.test", Outside.Echo);
        foreach (var open in new[] { client, kept }) Assert.Equal("hello\n", await open.AskAsync("hello\n"));
        await box.UpdateAsync(mode == PolicyMode.Custom
            ? With(2, ["private.test", "other.test"], ["198.51.100.0/24"])
            : new Policy { Version = 2, Mode = PolicyMode.AllowAll });
        Assert.Equal("reset", await client.ReadAllAsync());
        Assert.Equal("again\n", await kept.AskAsync("again\n"));
        Assert.Equal("POLICY_CHANGED", (await box.AuditOfAsync("the cut", r => r.Kind == AuditKind.Connection && r.Name == "private.test")).Reason);
    }

    [Fact]
    public async Task TerminatedConnection_IsCutWithTheRangeThatItsRequestsMayHaveNeeded()
    {
        var policy = With(1, [], ["10.99.0.0/24"]);
        policy.Transforms.Add(TestBox.Transform("private.test"));
        using var box = await lab.BoxAsync(policy);
        using var client = await box.ConnectAsync("private.test", 443);
        await client.SendAsync(Hellos.ClientHello("private.test"));
        Assert.Equal("terminated", await client.ReadAsync(10));
        var tight = With(2, [], []);
        tight.Transforms.Add(TestBox.Transform("private.test"));
        await box.UpdateAsync(tight);
        Assert.Equal("reset", await client.ReadAllAsync());
    }

    [Fact]
    public async Task NameThatGetsATransform_IsNoLongerCarriedAsItIs()
    {
        using var box = await lab.BoxAsync(With(1, ["allowed.test"], []));
        using var open = await box.ConnectAsync("allowed.test", 443);
        await open.SendAsync(Hellos.ClientHello("allowed.test"));
        await open.ReadAsync(5);
        var transformed = With(2, ["allowed.test"], []);
        transformed.Transforms.Add(TestBox.Transform("allowed.test"));
        await box.UpdateAsync(transformed);
        Assert.EndsWith("reset", await open.ReadAllAsync(), StringComparison.Ordinal);
        using var next = await box.ConnectAsync("allowed.test", 443);
        await next.SendAsync(Hellos.ClientHello("allowed.test"));
        Assert.Equal("terminated", await next.ReadAsync(10));
    }

    [Fact]
    public async Task TerminatedConnection_StaysWhileItsNameIsAllowed_AndIsCutWhenItIsNot()
    {
        var policy = With(1, ["allowed.test"], []);
        policy.Transforms.Add(TestBox.Transform("allowed.test"));
        using var box = await lab.BoxAsync(policy);
        using var client = await box.ConnectAsync("allowed.test", 443);
        await client.SendAsync(Hellos.ClientHello("allowed.test"));
        Assert.Equal("terminated", await client.ReadAsync(10));
        await box.UpdateAsync(With(2, ["allowed.test"], []));
        await client.SendAsync("more");
        Assert.Equal("terminated", await client.ReadAsync(10));
        await box.UpdateAsync(With(3, [], []));
        Assert.Equal("reset", await client.ReadAllAsync());
    }

    [Fact]
    public async Task ConnectionThatWaitsForItsServer_IsCutToo()
    {
        using var box = await lab.BoxAsync(With(1, ["allowed.test"], []));
        using var client = await box.ConnectAsync("allowed.test", Outside.Banner);
        await client.ReadAsync(13);
        await box.UpdateAsync(TestBox.DenyAll(version: 2));
        Assert.Equal("reset", await client.ReadAllAsync());
    }

    [Fact]
    public async Task AnotherProxy_CutsWhatLeftByTheOldWay()
    {
        using var box = await lab.BoxAsync(With(1, ["allowed.test"], []));
        using var client = await box.ConnectAsync("allowed.test", Outside.Echo);
        Assert.Equal("hello\n", await client.AskAsync("hello\n"));
        var proxied = With(2, ["allowed.test"], []);
        proxied.UpstreamProxy = "http://user:password@203.0.113.99:3128";
        await box.UpdateAsync(proxied);
        Assert.Equal("reset", await client.ReadAllAsync());
    }

    [Fact]
    public void ConnectionThatIsJudgedAgainUnderAnotherProxy_IsStillOneOfTheOldWay()
    {
        var (first, second) = (With(1, ["allowed.test"], []), With(2, ["allowed.test"], []));
        (first.UpstreamProxy, second.UpstreamProxy) = ("http://203.0.113.98:3128", "http://203.0.113.99:3128");
        using var sandbox = Unattached.Sandbox(first);
        var earlier = sandbox.Policy;
        using var flow = new Flow(sandbox, new Socket(SocketType.Stream, ProtocolType.Tcp), new IPEndPoint(IPAddress.Parse("198.18.0.1"), Outside.Echo)) { AskedName = "allowed.test" };
        flow.Judge();
        flow.Remote = IPEndPoint.Parse("203.0.113.98:3128");
        Assert.True(sandbox.TryReplacePolicy(Unattached.Compile(second)));
        Assert.Equal(FlowAction.Splice, flow.Judge().Action);
        Assert.True(flow.IsForbiddenBy(sandbox.Policy, earlier, new DestinationPolicy(new EgressOptions())));
    }

    [Fact]
    public async Task OlderVersion_IsIgnored()
    {
        using var box = await lab.BoxAsync(With(5, ["allowed.test"], []));
        Assert.Equal(5, await box.UpdateAsync(With(4, ["other.test"], [])));
        Assert.Equal(5, await box.UpdateAsync(With(5, ["other.test"], [])));
        Assert.Equal(3, (await box.AskAsync("other.test")).Code);
        Assert.Equal(0, (await box.AskAsync("allowed.test")).Code);
    }

    [Fact]
    public async Task WrongPolicy_IsRefusedByItsField_AndTheOldOneStays()
    {
        using var box = await lab.BoxAsync(With(1, ["allowed.test"], []));
        var problem = await Assert.ThrowsAsync<RpcException>(() => box.UpdateAsync(With(2, ["allowed.test", "*.com"], [])));
        Assert.Equal(StatusCode.InvalidArgument, problem.StatusCode);
        Assert.Contains("policy.allow_domains[1]", problem.Status.Detail, StringComparison.Ordinal);
        Assert.Equal(0, (await box.AskAsync("allowed.test")).Code);
    }

    [Fact]
    public async Task GateThatIsNotAttached_IsNotFound()
    {
        using var box = await lab.NewBoxAsync();
        var problem = await Assert.ThrowsAsync<RpcException>(() => box.UpdateAsync(With(2, [], [])));
        Assert.Equal(StatusCode.NotFound, problem.StatusCode);
    }

    private static async Task<string> LastPolicyAsync(TestBox box) => (await box.AuditAsync()).Last(r => r.Kind == AuditKind.Policy).Rule;

    private static Policy With(long version, string[] domains, string[] ranges) =>
        new() { Version = version, Mode = PolicyMode.Custom, AllowDomains = { domains }, AllowCidrs = { ranges } };
}
