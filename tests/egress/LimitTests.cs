using System.Diagnostics;
using System.Net.Sockets;
using Corral.Egress.Tests.Lab;
using Corral.Egress.V1;
using Corral.Tests.Support;
using Xunit;

namespace Corral.Egress.Tests;

/// <summary>How much one sandbox may cause.</summary>
public sealed class LimitTests(EgressLab lab)
{
    [Fact]
    public async Task OpenConnections_AreBounded_AndOneThatEndsMakesRoom()
    {
        using var box = await lab.BoxAsync(With(new Limits { Connections = 4 }));
        var address = await box.AddressOfAsync("allowed.test");
        var open = new List<TestClient>();
        for (var i = 0; i < 4; i++)
        {
            open.Add(await box.ConnectAsync(address, Outside.Echo));
            Assert.Equal("hello\n", await open[i].AskAsync("hello\n"));
        }

        Assert.Equal("reset", await box.TryAsync(address, Outside.Echo, "hello\n"));
        await box.AuditOfAsync("the refusal", r => r.Reason == "TOO_MANY_CONNECTIONS" && !r.Allowed);
        open[0].Dispose();
        await Eventually.Async("there is room again", TimeSpan.FromSeconds(10), async () => await box.TryAsync(address, Outside.Echo, "hello\n") == "hello\n");
        foreach (var client in open) client.Dispose();
    }

    [Fact]
    public async Task NewConnections_AreBoundedBySecond()
    {
        using var box = await lab.BoxAsync(With(new Limits { ConnectionsPerSecond = 5 }));
        var address = await box.AddressOfAsync("allowed.test");
        var answers = new List<string>();
        for (var i = 0; i < 30; i++) answers.Add(await box.TryAsync(address, Outside.Echo, "hello\n"));
        Assert.InRange(answers.Count(answer => answer == "hello\n"), 10, 25);
        await box.AuditOfAsync("the refusal", r => r.Reason == "TOO_MANY_NEW_CONNECTIONS");
    }

    [Fact]
    public async Task Bandwidth_HoldsOverBothDirections()
    {
        const int Rate = 4 << 20;
        using var box = await lab.BoxAsync(With(new Limits { BytesPerSecond = Rate }));
        using var client = await box.ConnectAsync("allowed.test", Outside.Echo);
        var content = new byte[4 << 20];
        var taken = Stopwatch.StartNew();
        var send = client.SendAsync(content);
        await client.ReadAsync(content.Length);
        await send;
        // There and back are 8 MiB: 2 s less what was saved.
        Assert.InRange(taken.Elapsed.TotalSeconds, 1.5, 6);
    }

    [Fact]
    public async Task ManySilentConnections_DoNotDelayOthers_AndAreEndedWhenANameIsOwed()
    {
        using var box = await lab.BoxAsync(With(new Limits()));
        var silent = new List<TestClient>();
        for (var i = 0; i < 100; i++) silent.Add(await box.ConnectAsync(Outside.Evil, 443));
        var taken = Stopwatch.StartNew();
        Assert.Equal("hello\n", await box.TryAsync(await box.AddressOfAsync("allowed.test"), Outside.Echo, "hello\n"));
        Assert.InRange(taken.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(2));
        Assert.Equal("reset", await silent[0].ReadAllAsync());
        foreach (var client in silent) client.Dispose();
    }

    [Fact]
    public async Task HelloThatNeverEnds_IsCut()
    {
        using var box = await lab.BoxAsync(With(new Limits()));
        using var client = await box.ConnectAsync("allowed.test", 443);
        await client.SendAsync(Hellos.ClientHello("allowed.test").AsMemory(0, 30));
        Assert.Equal(Hellos.AccessDenied, await client.ReadAllAsync());
        Assert.Equal("HELLO_TIMEOUT", (await box.AuditOfAsync("the refusal", r => r.Kind == AuditKind.Connection)).Reason);
    }

    [Fact]
    public async Task LimitsOfANewPolicy_HoldAtOnce()
    {
        using var box = await lab.BoxAsync(With(new Limits { Connections = 100 }));
        using var open = await box.ConnectAsync("allowed.test", Outside.Echo);
        Assert.Equal("hello\n", await open.AskAsync("hello\n"));
        var tight = With(new Limits { Connections = 1 });
        tight.Version = 2;
        await box.UpdateAsync(tight);
        Assert.Equal("reset", await box.TryAsync(await box.AddressOfAsync("allowed.test"), Outside.Echo, "hello\n"));
        Assert.Equal("again\n", await open.AskAsync("again\n"));
    }

    private static Policy With(Limits limits) => new() { Version = 1, Mode = PolicyMode.Custom, AllowDomains = { "allowed.test" }, Limits = limits };
}
