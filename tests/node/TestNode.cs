using System.Security.Cryptography;
using System.Text;
using Corral.Api.V1;
using Corral.GuestLink;
using Corral.NodeAgent.Commands;
using Corral.NodeAgent.Host;
using Corral.NodeAgent.Outbound;
using Corral.NodeAgent.Runtimes;
using Corral.NodeAgent.Sandboxes;
using Corral.Tests.Support;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Corral.NodeAgent.Tests;

/// <summary>A node without its services, in this process, with a home of its own that is gone when it is disposed.</summary>
internal sealed class TestNode : IAsyncDisposable
{
    private readonly ServiceProvider _services;
    private readonly bool _keep;
    private readonly List<SandboxOrder> _run = [];
    private int _count;

    private TestNode(ServiceProvider services, string home, bool keep)
    {
        _services = services;
        Home = home;
        _keep = keep;
    }

    public string Home { get; }

    public SandboxTable Table => Get<SandboxTable>();

    public static string NewHome() => Path.Combine("/var/tmp", "corral-test-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4)));

    /// <param name="home">Where another node was before; null for a new place.</param>
    /// <param name="configure">Changes to the settings.</param>
    /// <param name="keep">Leaves everything as it is when disposed, as a node that stops does.</param>
    /// <param name="templates">The templates; by default one small Debian, <c>base</c>.</param>
    /// <param name="egress">Where egress is; by default nowhere: then sandboxes without a policy are all that there can be.</param>
    public static async Task<TestNode> StartAsync(
        string? home = null, Action<NodeOptions>? configure = null, bool keep = false, string? templates = null, string? egress = null)
    {
        home ??= NewHome();
        var node = new TestNode(Build(home, configure, templates ?? TestTemplate.Home, egress), home, keep);
        foreach (var service in node._services.GetServices<IHostedService>()) await service.StartAsync(CancellationToken.None);
        if (egress is not null) await Eventually.Async("the node has egress", () => !node.Get<GateAttacher>().IsAway);
        return node;
    }

    public T Get<T>()
        where T : notnull => _services.GetRequiredService<T>();

    public SandboxOrder Order(string isolation, BoxLimits? limits = null, string? id = null, long generation = 1) =>
        new(id ?? $"sbx-test{Interlocked.Increment(ref _count)}", generation, "org-test", "base", isolation, new Dictionary<string, string>(), limits ?? BoxLimits.Default);

    public async Task<Box> RunAsync(SandboxOrder order)
    {
        _run.Add(order);
        var outcome = await Table.StartAsync(order, CancellationToken.None);
        return outcome is StartOutcome.Running ? Table.Find(order.SandboxId)! : throw new InvalidOperationException($"The sandbox does not run: {outcome}");
    }

    /// <summary>Ends what a test that failed did not.</summary>
    public async Task EndLeftoversAsync()
    {
        foreach (var order in _run) await Table.EndAsync(order.SandboxId, order.Generation, CancellationToken.None);
        _run.Clear();
    }

    /// <summary>Runs a shell line as the sandbox's root, and answers its standard output.</summary>
    public Task<string> ShAsync(Box box, string line) => ShAsync(box, line, "root");

    /// <summary>Runs a shell line as uid 1000.</summary>
    public Task<string> UserShAsync(Box box, string line) => ShAsync(box, line, "user");

    private async Task<string> ShAsync(Box box, string line, string user)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        using var text = new MemoryStream();
        await Get<CommandRunner>().RunAsync(box, CommandSpec.Of(new RunRequest { Command = line, User = user }), (kind, piece) =>
        {
            if (kind == Frame.Stdout) text.Write(piece);
            return ValueTask.CompletedTask;
        }, patience.Token);
        return Encoding.UTF8.GetString(text.ToArray()).Trim();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var service in _services.GetServices<IHostedService>().Reverse()) await service.StopAsync(CancellationToken.None);
        if (_keep) await _services.DisposeAsync();
        else await NodePurge.RunAsync(_services);
    }

    /// <summary>Removes what a node that was killed left.</summary>
    public static Task PurgeAsync(string home) => NodePurge.RunAsync(Build(home, null, TestTemplate.Home, null));

    private static ServiceProvider Build(string home, Action<NodeOptions>? configure, string templates, string? egress)
    {
        var services = new ServiceCollection();
        services.AddLogging(logging => logging.AddSimpleConsole().SetMinimumLevel(LogLevel.Warning));
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder().AddInMemoryCollection(
            [KeyValuePair.Create("Services:egress", (string?)(egress ?? "unix:" + Path.Combine(home, "no-egress.sock")))]).Build());
        services.Configure<NodeOptions>(options =>
        {
            options.PoolBytes = 1L << 30;
            options.DiskOvercommit = 1000;
            options.MaxSandboxes = 100;
            options.CpuOvercommit = options.MemoryOvercommit = 1000;
            options.PreparedNetworks = 2;
            configure?.Invoke(options);
        });
        services.AddNode(home, templates);
        return services.BuildServiceProvider();
    }
}
