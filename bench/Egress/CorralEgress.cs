using System.Globalization;
using System.Net.Sockets;
using Corral.Egress.V1;
using Corral.Hosting;

namespace Corral.Bench.Egress;

/// <summary>The service itself, as a process of its own, with the box attached.</summary>
internal sealed class CorralEgress(RunningProcess process, EgressService.EgressServiceClient client) : IAsyncDisposable
{
    private const int Unlimited = 1_000_000;

    public RunningProcess Process => process;

    public static async Task<CorralEgress> StartAsync(string folder, BenchPki pki, string resolver)
    {
        var program = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../publish/Corral.Egress/release/Corral.Egress"));
        var process = RunningProcess.Start(folder, program, new Dictionary<string, string>
        {
            ["CORRAL_HOME"] = folder,
            // As ./corral up starts it.
            ["DOTNET_GCgen0size"] = "1000000",
            ["DOTNET_TieredPGO"] = "1",
            ["DOTNET_ReadyToRun"] = "0",
            ["DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS"] = "1",
            ["CORRAL_CONFIG_Egress__Resolvers__0"] = resolver,
            ["CORRAL_CONFIG_Egress__PermittedRanges__0"] = BenchNetwork.Origin + "/32",
            ["CORRAL_CONFIG_Egress__TrustedAuthorities"] = pki.Authority,
        });
        var socket = Path.Combine(folder, "run", "egress.sock");
        await process.AnswersAsync(async () =>
        {
            using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await probe.ConnectAsync(new UnixDomainSocketEndPoint(socket));
        });
        return new CorralEgress(process, new EgressService.EgressServiceClient(ChannelPool.Open("unix:" + socket)));
    }

    public async Task<Way> AttachAsync(BenchNetwork network)
    {
        var policy = NewPolicy();
        policy.AllowDomains.Add(["opaque.bench.test", "tunnel.bench.test"]);
        policy.Transforms.Add(Inject("api.bench.test"));
        policy.Limits = new Limits { Connections = Unlimited, ConnectionsPerSecond = Unlimited, DnsQuestionsPerSecond = Unlimited };
        await AttachAsync("sbx-bench", network.Gate, policy);
        return new Way("corral", network.Box, "https://api.bench.test/", "https://opaque.bench.test/", OriginServer.BytesPort, process) { WarmUp = 12 };
    }

    /// <summary>Attaches gates with as much policy as one may have.</summary>
    public async Task AttachIdleAsync(BenchNetwork network, int count)
    {
        var gates = await network.IdleGatesAsync(count);
        for (var i = 0; i < count; i++)
        {
            var policy = NewPolicy();
            policy.AllowDomains.Add(Enumerable.Range(0, 50).Select(n => string.Create(CultureInfo.InvariantCulture, $"*.n{n}.sandbox{i}.example.com")));
            policy.AllowCidrs.Add(Enumerable.Range(1, 9).Select(n => string.Create(CultureInfo.InvariantCulture, $"198.51.{n}.0/24")));
            policy.Transforms.Add(Enumerable.Range(0, 20).Select(n => Inject(string.Create(CultureInfo.InvariantCulture, $"t{n}.sandbox{i}.example.com"))));
            await AttachAsync(string.Create(CultureInfo.InvariantCulture, $"sbx-idle{i}"), gates[i], policy);
        }
    }

    public ValueTask DisposeAsync() => process.DisposeAsync();

    private async Task AttachAsync(string sandbox, string gate, Policy policy) => await client.AttachAsync(
        new AttachRequest { SandboxId = sandbox, Generation = 1, OrganizationId = "org-bench", GateNamespace = BenchNetwork.PathOf(gate), Policy = policy },
        deadline: TimeProvider.System.GetUtcNow().UtcDateTime.AddSeconds(30));

    private static Policy NewPolicy()
    {
        var policy = new Policy { Version = 1, Mode = PolicyMode.Custom };
        // The origin is on the loopback, which is refused unless the operator and the policy both name it.
        policy.AllowCidrs.Add(BenchNetwork.Origin + "/32");
        return policy;
    }

    private static Transform Inject(string name) =>
        new() { Domain = name, InjectHeaders = { new InjectedHeader { Name = "Authorization", Value = "Bearer bench-secret" } } };
}
