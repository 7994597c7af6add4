using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Corral.Api.V1;
using Corral.NodeAgent.Host;
using Corral.Security.Tests.Egress;
using Corral.Security.Tests.Lab;
using Corral.Security.Tests.Secrets;
using Corral.Tests.Instance;
using Xunit;

[assembly: CollectionBehavior(DisableTestParallelization = true)]
[assembly: AssemblyFixture(typeof(SecurityLab))]

namespace Corral.Security.Tests.Lab;

/// <summary>One instance, the servers around it, and the sandboxes that tests share.</summary>
public sealed class SecurityLab : IAsyncLifetime
{
    private readonly RequiredHost _host = new("ip", "nft", "unshare", "runsc", "redis-server", "redis-cli");

    private readonly string _home = Directory.CreateTempSubdirectory("corral-security-").FullName;
    private readonly ConcurrentDictionary<string, Lazy<Task<string>>> _sandboxes = new();
    private readonly ConcurrentDictionary<string, Lazy<Task<AttackRun>>> _runs = new();
    private readonly ConcurrentDictionary<string, Lazy<Task<IReadOnlyDictionary<string, Hunt>>>> _hunts = new();
    private readonly Lazy<Task<SecretsInUse>> _secrets;

    public SecurityLab() => _secrets = new(() => SecretsInUse.BeginAsync(this));

    internal Outside Outside { get; private set; } = null!;

    internal Instance Instance { get; private set; } = null!;

    internal BoxesClient Boxes => Instance.Boxes;

    public async ValueTask InitializeAsync()
    {
        if (!_host.IsThere) return;
        Outside = await Outside.StartAsync();
        var trusted = Path.Combine(_home, "authority.pem");
        await File.WriteAllTextAsync(trusted, Outside.Certificates.AuthorityPem);
        Instance = await Instance.StartAsync("security", new Dictionary<string, string>
        {
            // More sandboxes than a small host gives room for: they wait most of the time.
            ["CORRAL_CONFIG_Node__CpuOvercommit"] = "500",
            ["CORRAL_CONFIG_Node__MemoryOvercommit"] = "100",
            ["CORRAL_CONFIG_Node__DiskOvercommit"] = "500",
            ["CORRAL_CONFIG_Egress__Resolvers__0"] = Internet.Resolver.ToString(),
            ["CORRAL_CONFIG_Egress__PermittedRanges__0"] = "10.99.0.0/24",
            ["CORRAL_CONFIG_Egress__TrustedAuthorities"] = trusted,
            ["CORRAL_CONFIG_Egress__HelloTimeout"] = "00:00:02",
            ["CORRAL_CONFIG_Egress__ConnectTimeout"] = "00:00:02",
            ["CORRAL_CONFIG_Egress__Connections"] = "64",
            ["CORRAL_CONFIG_Egress__ConnectionsPerSecond"] = "50",
        });
    }

    /// <summary>A sandbox that tests share, by what it is for: nothing that a test leaves in it may matter to others.</summary>
    internal Task<string> SandboxAsync(string purpose, string isolation, Func<JsonObject> create)
    {
        _host.Require();
        return _sandboxes.GetOrAdd($"{purpose}/{isolation}", _ => new(() =>
        {
            var body = create();
            (body["runtime"], body["isolation"]) = ("python", isolation);
            return Boxes.ReadyAsync(body);
        })).Value;
    }

    /// <summary>What came of a family's attacks in one kind of sandbox, as one user. They are run once, in sandboxes of all kinds together: they mostly wait.</summary>
    internal async Task<AttackRun> RunAsync(AttackFamily family, string isolation, string user)
    {
        _host.Require();
        var runs = AttackFamily.Kinds.ToDictionary(kind => kind, kind => _runs.GetOrAdd(
            $"{family.Name}/{kind.Isolation}/{kind.User}", _ => new(() => AttackRun.StartAsync(this, family, kind.Isolation, kind.User))).Value);
        return await runs[(isolation, user)];
    }

    /// <summary>The sandboxes with secrets, each of which was used.</summary>
    internal Task<SecretsInUse> SecretsAsync()
    {
        _host.Require();
        return _secrets.Value;
    }

    /// <summary>What is found of the secrets inside one of these sandboxes. It is looked for once.</summary>
    internal async Task<IReadOnlyDictionary<string, Hunt>> HuntAsync(string isolation, bool proxied)
    {
        var secrets = await SecretsAsync();
        return await _hunts.GetOrAdd($"{isolation}/{proxied}", _ => new(() => Hunt.InsideAsync(this, secrets.Sandboxes[(isolation, proxied)], secrets.Since, secrets.Needles, secrets.Tokens))).Value;
    }

    /// <summary>Runs a program of the suite in a sandbox; what it prints.</summary>
    internal async Task<string> PythonAsync(string sandbox, string user, string program, params string[] arguments)
    {
        var request = new RunRequest { SandboxId = sandbox, Command = "python3", Args = { "-", arguments }, User = user, Cwd = "/tmp", TimeoutMs = 100_000, Stdin = Google.Protobuf.ByteString.CopyFromUtf8(program) };
        var ran = await Instance.Native.RunAsync(request);
        return ran.ExitCode == 0 ? ran.Stdout.ToStringUtf8() : throw new InvalidOperationException($"The program ended with {ran.ExitCode}: {ran.Stdout.ToStringUtf8()}{ran.Stderr.ToStringUtf8()}");
    }

    /// <summary>Runs a shell line in a sandbox; what it prints, errors included.</summary>
    internal async Task<string> ShellAsync(string sandbox, string line, string user = "root")
    {
        var ran = await Instance.Native.RunAsync(new RunRequest { SandboxId = sandbox, Command = line, User = user });
        return ran.Stdout.ToStringUtf8() + ran.Stderr.ToStringUtf8();
    }

    /// <summary>The egress log of a sandbox.</summary>
    internal Task<IReadOnlyList<EgressRecord>> LogAsync(string sandbox) => Instance.Native.EgressLogAsync(sandbox);

    internal Task<Answer> PutAsync(string path, JsonObject body) => Boxes.SendAsync(new HttpRequestMessage(HttpMethod.Put, path)
    {
        Content = new StringContent(body.ToJsonString(), System.Text.Encoding.UTF8, "application/json"),
    });

    internal static string Program(string name)
    {
        using var resource = typeof(SecurityLab).Assembly.GetManifestResourceStream(name) ?? throw new InvalidOperationException($"There is no program {name}.");
        using var reader = new StreamReader(resource);
        return reader.ReadToEnd();
    }

    public async ValueTask DisposeAsync()
    {
        if (Instance is not null) await Instance.DisposeAsync();
        if (Outside is not null) await Outside.DisposeAsync();
        Directory.Delete(_home, recursive: true);
    }
}
