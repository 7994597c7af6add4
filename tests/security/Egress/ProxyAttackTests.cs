using System.Net;
using System.Text.Json.Nodes;
using Corral.Api.V1;
using Corral.Security.Tests.Lab;
using Corral.Tests.Support;
using Xunit;

namespace Corral.Security.Tests.Egress;

/// <summary>A proxy of the tenant's own: a way out, and never a way round.</summary>
public sealed class ProxyAttackTests(SecurityLab lab)
{
    private const string Try = """
        @attack
        def a_request():
            return http("allowed.test", request("allowed.test", "/through-a-bad-proxy"))


        @attack
        def a_handshake():
            return tls("allowed.test", hello("allowed.test"))


        attack_all()
        """;

    private static readonly AttackFamily Family = new("proxied", () => Behind($"http://{ForwardProxy.User}:{ForwardProxy.Password}@proxy.test:3128"))
    {
        { "an allowed name", "200 203.0.113.10", AuditLine.Passed(EgressKind.Connection) with { Name = "allowed.test", Address = "203.0.113.80", Port = 443 } },
        { "a name that is not allowed", "alert 49", AuditLine.Connection("NAME_NOT_ALLOWED") with { Name = "proxied.evil.test" } },
        { "an address that is not allowed", "ECONNRESET|closed", AuditLine.Connection("ADDRESS_NOT_ALLOWED") with { Address = "203.0.113.66", Port = 7001 } },
        { "the metadata service", "ECONNRESET|closed", AuditLine.Connection("ADDRESS_NOT_ALLOWED") with { Address = "169.254.169.254", Port = 7002 } },
        { "the proxy itself", "403 (NAME|ADDRESS)_NOT_ALLOWED", AuditLine.None("the name or the address is refused, as the first words have it") },
        { "a name that the proxy sends elsewhere", "ECONNRESET|closed", AuditLine.Connection("PROXY_REFUSED") with { Name = "moved.wild.test", Port = 443 } },
        { "a request that the proxy sends elsewhere", "502 PROXY_REFUSED", AuditLine.None("a request that its server does not answer was allowed") },
    };

    public static IEnumerable<TheoryDataRow<string, string, string>> Attacks => Family.Everywhere();

    [Theory]
    [MemberData(nameof(Attacks))]
    public async Task Attack_NeverGoesRoundTheProxyOrThePolicy(string attack, string isolation, string user)
    {
        await Family.AssertRefusedAsync(lab, attack, isolation, user);
        Assert.DoesNotContain(lab.Outside.ForwardProxy.Asked, target => target.Contains("evil", StringComparison.Ordinal) || target.Contains("169.254", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("socks5", "carol:wrong", 1080, "PROXY_AUTHENTICATION")]
    [InlineData("http", "carol:wrong", 3128, "PROXY_AUTHENTICATION")]
    [InlineData("http", "carol:any", 9, "PROXY_FAILED")]
    [InlineData("socks5", "carol:any", 9, "PROXY_FAILED")]
    // No proxy at all: it sends back whatever it is sent.
    [InlineData("http", "carol:any", 5432, "PROXY_FAILED")]
    [InlineData("https", "carol:any", 5432, "PROXY_FAILED")]
    [InlineData("socks5", "carol:any", 5432, "PROXY_AUTHENTICATION")]
    public async Task ProxyThatDoesNotServe_IsAnError_AndNeverADirectConnection(string scheme, string credentials, int port, string reason)
    {
        var id = await lab.Boxes.ReadyAsync(Behind($"{scheme}://{credentials}@proxy.test:{port}"));
        try
        {
            var seen = JsonNode.Parse(await lab.PythonAsync(id, "user", SecurityLab.Program("attack.py") + Try))!;

            Assert.Equal("502 " + reason, (string?)seen["a request"]);
            Assert.Matches("^(ECONNRESET|closed)$", (string?)seen["a handshake"]);
            await Eventually.Async("the log has the reason", TimeSpan.FromSeconds(10), async () => (await lab.LogAsync(id)).Any(record => record.Kind == EgressKind.Connection && record.Reason == reason));
            Assert.DoesNotContain(lab.Outside.Origin.Seen, request => request.Target == "/through-a-bad-proxy");
        }
        finally
        {
            await lab.Boxes.EndAsync(id);
        }
    }

    [Theory]
    [InlineData("http://carol:any@private.test:3128")]
    [InlineData("socks5://carol:any@metadata.test:1080")]
    [InlineData("http://carol:any@host.test:3128")]
    [InlineData("http://carol:any@10.98.0.5:3128")]
    [InlineData("http://carol:any@169.254.169.254:3128")]
    [InlineData("http://carol:any@203.0.113.1:3128")]
    [InlineData("http://carol:any@127.0.0.1:3128")]
    [InlineData("http://carol:any@100.64.0.1:3128")]
    public async Task ProxyWhereNothingMayBeDialled_IsRefused(string proxy)
    {
        var created = await lab.Boxes.PostAsync("/v1/sandboxes", Behind(proxy));
        if (created.Status == HttpStatusCode.BadRequest)
        {
            Assert.Contains("byoProxyUrl", created.Error, StringComparison.Ordinal);
            return;
        }

        var id = (string)created.Body!["id"]!;
        try
        {
            await lab.Boxes.UntilAsync(id, "ready");
            var seen = JsonNode.Parse(await lab.PythonAsync(id, "user", SecurityLab.Program("attack.py") + Try))!;

            Assert.Equal("403 PROXY_DENIED", (string?)seen["a request"]);
            await Eventually.Async("the log has the refusal", TimeSpan.FromSeconds(10), async () => (await lab.LogAsync(id)).Any(record => !record.Allowed && record.Reason == "PROXY_DENIED"));
            Assert.Empty(lab.Outside.Leaks());
        }
        finally
        {
            await lab.Boxes.EndAsync(id);
        }
    }

    private static JsonObject Behind(string proxy)
    {
        var create = Policies.Usual();
        create["runtime"] = "python";
        create["capabilities"] = new JsonObject { ["browser"] = new JsonObject { ["byoProxyUrl"] = proxy } };
        return create;
    }
}
