using System.Net;
using System.Text.Json.Nodes;
using Corral.Fault.Tests.Lab;
using Corral.Tests.Instance;
using Xunit;

[assembly: CollectionBehavior(DisableTestParallelization = true)]
[assembly: AssemblyFixture(typeof(FaultyInternet))]

namespace Corral.Fault.Tests.Lab;

/// <summary>What the instances reach outside: one server, by names whose TLS is ended on the way and not, and an address where nothing may arrive.</summary>
public sealed class FaultyInternet : IAsyncLifetime
{
    internal const string Transformed = "transformed.test", Untouched = "untouched.test", Injected = "Bearer injected-84a0cf1be2d5";

    /// <summary>Where the authority of the server's certificate lies in a sandbox.</summary>
    internal const string AuthorityPath = "/workspace/authority.pem";

    private static readonly IPAddress Served = IPAddress.Parse("203.0.113.10");

    private readonly RequiredHost _host = new("ip", "nft", "unshare", "runsc", "redis-server");
    private readonly string _home = Directory.CreateTempSubdirectory("corral-faulty-").FullName;
    private readonly ServerCertificates _certificates = new(Transformed, Untouched);

    /// <summary>Of no sandbox's policy.</summary>
    internal static IPAddress Forbidden { get; } = IPAddress.Parse("203.0.113.66");

    internal Internet Internet { get; private set; } = null!;

    internal FaultyServer Server { get; private set; } = null!;

    /// <summary>The settings of an instance that lives in it.</summary>
    internal IReadOnlyDictionary<string, string> Settings => new Dictionary<string, string>
    {
        ["CORRAL_CONFIG_Egress__Resolvers__0"] = Internet.Resolver.ToString(),
        ["CORRAL_CONFIG_Egress__TrustedAuthorities"] = Path.Combine(_home, "authority.pem"),
        ["CORRAL_CONFIG_Egress__RequestSilence"] = "00:00:03",
    };

    public async ValueTask InitializeAsync()
    {
        if (!_host.IsThere) return;
        await File.WriteAllTextAsync(Path.Combine(_home, "authority.pem"), _certificates.AuthorityPem);
        Server = new FaultyServer(_certificates);
        Internet = await Internet.StartAsync(Served, Forbidden);
        foreach (var name in new[] { Transformed, Untouched }) Internet.Names.Zone[name] = [Served];
        Internet.Names.Zone["forbidden.test"] = [Forbidden];
        await Internet.ServeAsync(443, (stream, _) => Server.ServeAsync(stream));
    }

    /// <summary>A sandbox that may reach both names, and knows the server's authority.</summary>
    internal async Task<string> SandboxAsync(Instance instance, string isolation)
    {
        var id = await instance.Boxes.ReadyAsync(new JsonObject
        {
            ["runtime"] = "base",
            ["isolation"] = isolation,
            ["networkPolicy"] = JsonNode.Parse($$"""
                {"mode": "custom", "allow_domains": ["{{Untouched}}"], "transforms": [{"domain": "{{Transformed}}", "inject_headers": {"Authorization": "{{Injected}}"} }]}
                """),
        });
        var written = await instance.Boxes.PostAsync("/v1/sandboxes/fs/write", new() { ["id"] = id, ["path"] = AuthorityPath, ["content"] = _certificates.AuthorityPem });
        Assert.True(written.Status == HttpStatusCode.OK, written.Text);
        return id;
    }

    /// <summary>Skips or fails a test whose host lacks something.</summary>
    internal void Require() => _host.Require();

    public async ValueTask DisposeAsync()
    {
        if (Internet is not null) await Internet.DisposeAsync();
        _certificates.Dispose();
        Directory.Delete(_home, recursive: true);
    }
}
