using System.Net;
using System.Net.Sockets;
using Corral.Egress.V1;
using Corral.NodeAgent.Host;
using Corral.NodeAgent.Networks;
using Corral.Tests.Support;

namespace Corral.Egress.Tests.Lab;

/// <summary>A box's network as the node-agent makes it, and clients in it.</summary>
internal sealed class TestBox : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private readonly RunningEgress _egress;
    private readonly string _directory;

    private TestBox(RunningEgress egress, string directory, BoxNetwork network)
    {
        (_egress, _directory, Network) = (egress, directory, network);
        Inside = new NetworkSpace(network.Box);
        Gate = new NetworkSpace(network.Gate);
    }

    public BoxNetwork Network { get; }

    public string Id => "sbx-" + Network.Name;

    public NetworkSpace Inside { get; }

    public NetworkSpace Gate { get; }

    public static async Task<TestBox> CreateAsync(RunningEgress egress, string directory, string name) =>
        new(egress, directory, await HostThread.RunAsync("network", () => BoxNetwork.Create(directory, name)));

    public static Policy AllowAll(Action<Policy>? change = null) => Changed(new Policy { Version = 1, Mode = PolicyMode.AllowAll }, change);

    public static Policy DenyAll(long version = 1) => new() { Version = version, Mode = PolicyMode.DenyAll };

    public static Policy Custom(params string[] domains) => new() { Version = 1, Mode = PolicyMode.Custom, AllowDomains = { domains } };

    public static Transform Transform(string domain) =>
        new() { Domain = domain, InjectHeaders = { new InjectedHeader { Name = "authorization", Value = "Bearer secret-of-the-test" } } };

    public AttachRequest Order(Policy? policy, long generation = 1) =>
        new() { SandboxId = Id, Generation = generation, OrganizationId = "org-test", GateNamespace = Network.GatePath, Policy = policy };

    public async Task<string> AttachAsync(Policy? policy, long generation = 1) =>
        (await _egress.Client.AttachAsync(Order(policy, generation))).CaCertificatePem;

    public async Task<string> PrepareAsync(string? gate = null) =>
        (await _egress.Client.PrepareGateAsync(new PrepareGateRequest { GateNamespace = gate ?? Order(null).GateNamespace })).CaCertificatePem;

    public async Task<long> UpdateAsync(Policy policy, long generation = 1) =>
        (await _egress.Client.UpdatePolicyAsync(new UpdatePolicyRequest { SandboxId = Id, Generation = generation, Policy = policy })).Version;

    public async Task DetachAsync(long generation = 1) => await _egress.Client.DetachAsync(new DetachRequest { SandboxId = Id, Generation = generation });

    /// <summary>All records, page by page.</summary>
    public async Task<IReadOnlyList<AuditRecord>> AuditAsync(bool refusedOnly = false)
    {
        var all = new List<AuditRecord>();
        while (true)
        {
            var page = await _egress.Client.ListAuditAsync(new ListAuditRequest { SandboxId = Id, Limit = 1000, RefusedOnly = refusedOnly, After = all.LastOrDefault()?.Sequence ?? 0 });
            all.AddRange(page.Records);
            if (page.Records.Count < 1000) return all;
        }
    }

    /// <summary>Waits for a record: connections are written down when they are over.</summary>
    public async Task<AuditRecord> AuditOfAsync(string what, Func<AuditRecord, bool> wanted)
    {
        AuditRecord? found = null;
        await Eventually.Async($"the audit tells of {what}", Patience, async () => (found = (await AuditAsync()).FirstOrDefault(wanted)) is not null);
        return found!;
    }

    /// <summary>A question to the resolver, from a client that knows nothing of the service's own codec.</summary>
    public Task<DnsResult> AskAsync(string name, int type = 1, IPAddress? resolver = null) => DnsClient.AskAsync(this, name, type, resolver);

    /// <summary>The address that a name gets.</summary>
    public async Task<IPAddress> AddressOfAsync(string name)
    {
        var result = await AskAsync(name);
        return result.Address ?? throw new InvalidOperationException($"{name} got no address: code {result.Code}.");
    }

    /// <summary>Connects from inside to a name, as programs do.</summary>
    public async Task<TestClient> ConnectAsync(string name, int port) => await ConnectAsync(await AddressOfAsync(name), port);

    public async Task<TestClient> ConnectAsync(IPAddress address, int port)
    {
        var socket = await Inside.SocketAsync(SocketType.Stream);
        using var patience = new CancellationTokenSource(Patience);
        await socket.ConnectAsync(new IPEndPoint(address, port), patience.Token);
        return new TestClient(socket);
    }

    /// <summary>Connects and says something; what comes back, "reset" when the connection is cut, be it at once.</summary>
    public async Task<string> TryAsync(IPAddress address, int port, string words)
    {
        try
        {
            using var client = await ConnectAsync(address, port);
            if (words.Length > 0) await client.SendAsync(words);
            return await client.ReadAsync(Math.Max(1, words.Length));
        }
        catch (SocketException)
        {
            return "reset";
        }
    }

    /// <summary>Runs a Python script inside; what it prints.</summary>
    public async Task<string> PythonAsync(string script)
    {
        var result = await Inside.RunProgramAsync("python3", ["-c", script]);
        return result.Output.Trim();
    }

    /// <summary>Runs curl inside; what it prints, errors too.</summary>
    public async Task<string> CurlAsync(params string[] arguments)
    {
        var result = await Inside.RunProgramAsync("curl", ["--silent", "--show-error", "--max-time", "8", "--noproxy", "*", .. arguments]);
        return result.Output.Trim();
    }

    public void Dispose()
    {
        Network.Dispose();
        BoxNetwork.Remove(_directory, Network.Name);
    }

    private static Policy Changed(Policy policy, Action<Policy>? change)
    {
        change?.Invoke(policy);
        return policy;
    }
}
