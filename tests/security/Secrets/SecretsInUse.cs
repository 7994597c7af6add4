using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Corral.Security.Tests.Lab;
using Xunit;

namespace Corral.Security.Tests.Secrets;

/// <summary>Secrets in use in every way that the product has, in sandboxes of both runtimes, each used once at least.</summary>
internal sealed class SecretsInUse
{
    /// <summary>A name whose requests get a literal value and one from the vault.</summary>
    public const string InjectedHost = "vault.wild.test";

    /// <summary>A name for which a variable of the environment stands for a secret.</summary>
    public const string PlaceholderHost = "placeholder.wild.test";

    private const string Use = """
        import base64
        token = os.environ["TOKEN"]
        print(https("vault.wild.test", request("vault.wild.test", "/used")))
        print(https("placeholder.wild.test", request("placeholder.wild.test", "/bearer", f"Authorization: Bearer {token}\r\n")))
        basic = base64.b64encode(f"user:{token}".encode()).decode()
        print(https("placeholder.wild.test", request("placeholder.wild.test", "/basic", f"Authorization: Basic {basic}\r\n")))
        print(https("allowed.test", request("allowed.test", "/inert", f"Authorization: Bearer {token}\r\n")))
        """;

    private SecretsInUse() => (Literal, Vault, Environment) = (Needles.Make("literal"), Needles.Make("vault"), Needles.Make("environment"));

    /// <summary>Before there was any of them.</summary>
    public DateTimeOffset Since { get; } = TimeProvider.System.GetUtcNow();

    /// <summary>The tenant's and the operator's secrets.</summary>
    public Needles Needles { get; } = new();

    /// <summary>What the node proves itself to guests with.</summary>
    public Needles Tokens { get; } = new();

    public string Literal { get; }

    public string Vault { get; }

    public string Environment { get; }

    /// <summary>The sandboxes, by runtime and by whether they have a proxy.</summary>
    public Dictionary<(string Isolation, bool Proxied), string> Sandboxes { get; } = [];

    public static async Task<SecretsInUse> BeginAsync(SecurityLab lab)
    {
        var secrets = new SecretsInUse();
        secrets.Needles.Add("API key", lab.Instance.Key);
        secrets.Needles.Add("proxy password", ForwardProxy.Password);
        secrets.Needles.Add("sealing key", await File.ReadAllBytesAsync(Path.Combine(lab.Instance.Home, "keys", "secrets.key")));
        foreach (var (name, value) in new[] { ("HUNT_VAULT", secrets.Vault), ("HUNT_ENV", secrets.Environment), ("HUNT_PROXY", ForwardProxy.Password) })
            Assert.Equal(HttpStatusCode.OK, (await lab.PutAsync("/v1/secrets", new() { ["name"] = name, ["value"] = value })).Status);
        foreach (var isolation in new[] { "runc", "runsc" })
        {
            foreach (var proxied in new[] { false, true }) await secrets.UseAsync(lab, isolation, proxied);
        }

        foreach (var journal in Directory.EnumerateFiles(Path.Combine(lab.Instance.Home, "node", "journal"), "*.json"))
        {
            var record = JsonNode.Parse(await File.ReadAllTextAsync(journal))!;
            if ((string?)record["SandboxId"] is null or "") continue;
            secrets.Tokens.Add("token of " + (string)record["Box"]!, Convert.FromHexString((string)record["Token"]!));
        }

        return secrets;
    }

    private async Task UseAsync(SecurityLab lab, string isolation, bool proxied)
    {
        var id = await lab.Boxes.ReadyAsync(Create(isolation, proxied));
        Sandboxes[(isolation, proxied)] = id;
        var seen = lab.Outside.Origin.Seen.Count;
        var printed = await lab.PythonAsync(id, "user", SecurityLab.Program("attack.py") + Use);
        Assert.Equal("200 203.0.113.10\n200 203.0.113.10\n200 203.0.113.10\n200 203.0.113.10\n", printed);

        // They did leave, and only for their hosts.
        var requests = lab.Outside.Origin.Seen.Skip(seen).ToDictionary(request => request.Target);
        Assert.Equal(["Bearer " + Vault], requests["/used"].Header("authorization"));
        Assert.Equal([Literal], requests["/used"].Header("x-literal"));
        Assert.Equal(["Bearer " + Environment], requests["/bearer"].Header("authorization"));
        Assert.Equal(["Basic " + Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes("user:" + Environment))], requests["/basic"].Header("authorization"));
        Assert.StartsWith("Bearer corral-secret-", requests["/inert"].Header("authorization").Single(), StringComparison.Ordinal);

        var authority = await lab.ShellAsync(id, "cat /etc/ssl/certs/corral.pem");
        Needles.Add($"key of the authority, {isolation}, {(proxied ? "proxied" : "direct")}", PrivateEncoding(authority));
    }

    private JsonObject Create(string isolation, bool proxied)
    {
        var create = Egress.Policies.Under($$"""
            {"mode": "custom", "allow_domains": ["allowed.test", "{{PlaceholderHost}}"],
             "transforms": [{"domain": "{{InjectedHost}}", "inject_headers": {"Authorization": "Bearer ${secret:HUNT_VAULT}", "X-Literal": "{{Literal}}"} }]}
            """);
        (create["runtime"], create["isolation"]) = ("python", isolation);
        create["env"] = new JsonObject { ["TOKEN"] = $"${{secret:HUNT_ENV@{PlaceholderHost}}}" };
        if (proxied)
        {
            var address = $"http://{ForwardProxy.User}:${{secret:HUNT_PROXY}}@proxy.test:3128";
            create["capabilities"] = new JsonObject { ["browser"] = new JsonObject { ["byoProxyUrl"] = address } };
        }

        return create;
    }

    // In a private key the public one stands under a tag that it has nowhere else (RFC 5915, section 3).
    private static byte[] PrivateEncoding(string pem)
    {
        using var certificate = X509Certificate2.CreateFromPem(pem);
        using var key = certificate.GetECDsaPublicKey()!;
        var point = key.ExportParameters(false).Q;
        return [0xA1, 0x44, 0x03, 0x42, 0x00, 0x04, .. point.X!, .. point.Y!];
    }
}
