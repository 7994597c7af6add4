using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;
using Corral.Api.V1;
using Corral.Security.Tests.Lab;
using Corral.Tests.Support;
using Xunit;

namespace Corral.Security.Tests.Egress;

/// <summary>Policies that are tightened while something is open.</summary>
public sealed class LiveChangeTests(SecurityLab lab)
{
    private const string Tunnel = """{"mode": "custom", "allow_domains": ["allowed.test", "permitted.test"], "allow_cidrs": ["198.51.100.0/24", "10.99.0.0/24"]}""";

    // Holds a connection until it is broken, and says how.
    private const string Hold = """
        import sys
        host = sys.argv[1]
        with connect(host, 5432) as connection:
            connection.sendall(b"hello\n")
            assert connection.recv(10) == b"hello\n"
            connection.settimeout(20)
            print(outcome(lambda: said(connection.recv(10))))
        """;

    // Asks, waits until the file is there, and asks again on the same connection.
    private const string AskTwice = """
        import sys
        name, path = sys.argv[1:]
        with secured(name) as connection:
            connection.settimeout(PATIENCE)
            def ask(path):
                connection.sendall(request(name, path).encode())
                return said(connection.recv(65536))
            print(ask(path + "/before"))
            open("/tmp/answered", "w").close()
            until = time.monotonic() + 30
            while not os.path.exists("/tmp/changed") and time.monotonic() < until:
                time.sleep(0.02)
            print(outcome(lambda: ask(path + "/after")))
        try:
            with secured(name) as connection:
                connection.sendall(request(name, path + "/anew").encode())
                print(said(read_all(connection)))
        except OSError as problem:
            print(word_for(problem))
        """;

    [Theory]
    [InlineData("runc", "allowed.test", """{"mode": "deny-all"}""")]
    [InlineData("runsc", "allowed.test", """{"mode": "deny-all"}""")]
    [InlineData("runc", "allowed.test", """{"mode": "custom", "allow_domains": ["permitted.test"]}""")]
    [InlineData("runc", "198.51.100.7", """{"mode": "custom", "allow_domains": ["allowed.test"]}""")]
    [InlineData("runsc", "10.99.0.5", """{"mode": "custom", "allow_domains": ["permitted.test"]}""")]
    // The name stays allowed, but where it leads may no longer be dialled.
    [InlineData("runc", "permitted.test", """{"mode": "custom", "allow_domains": ["allowed.test", "permitted.test"]}""")]
    [InlineData("runsc", "permitted.test", """{"mode": "allow-all"}""")]
    public async Task ConnectionThatIsNoLongerAllowed_IsClosedWithinASecond(string isolation, string host, string tightened)
    {
        var id = await ReadyAsync(isolation, Tunnel);
        try
        {
            var echoed = lab.Outside.Connections.Count;
            var holding = lab.PythonAsync(id, "user", SecurityLab.Program("attack.py") + Hold, host);
            await Eventually.Async("the connection is there", () => lab.Outside.Connections.Count > echoed || holding.IsCompleted);
            Assert.False(holding.IsCompleted, holding.IsCompleted ? await holding : "");

            await ChangeAsync(id, tightened);
            var closing = Stopwatch.StartNew();
            var seen = await holding;

            Assert.Matches("^(ECONNRESET|closed)\n$", seen);
            Assert.InRange(closing.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(2));
            await Eventually.Async("the log says why", TimeSpan.FromSeconds(10), async () => (await lab.LogAsync(id)).Any(record => record.Reason == "POLICY_CHANGED"));
        }
        finally
        {
            await lab.Boxes.EndAsync(id);
        }
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task RequestAfterItsNameWasTakenAway_IsRefused_OnTheSameConnection(string isolation)
    {
        var path = "/live-name-" + isolation;

        var seen = await AskAsync(isolation, "inject.test", path, Injecting("inject.test"), """{"mode": "custom", "allow_domains": ["allowed.test"]}""");

        Assert.Equal("200 203.0.113.10", seen[0]);
        Assert.Matches("^(403 NAME_NOT_ALLOWED|closed|ECONNRESET|tls .*)$", seen[1]);
        Assert.DoesNotContain(lab.Outside.Origin.Seen, request => request.Target == path + "/after" || request.Target == path + "/anew");
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task RequestToAnAddressThatMayNoLongerBeDialled_IsRefused_ThoughAConnectionToItWasKept(string isolation)
    {
        var path = "/live-address-" + isolation;
        const string Permitted = """{"mode": "custom", "allow_cidrs": ["10.99.0.0/24"], "transforms": [{"domain": "permitted.test", "strip_headers": ["X-A"]}]}""";
        const string Tightened = """{"mode": "custom", "transforms": [{"domain": "permitted.test", "strip_headers": ["X-A"]}]}""";

        var seen = await AskAsync(isolation, "permitted.test", path, Permitted, Tightened);

        Assert.Equal("200 10.99.0.5", seen[0]);
        Assert.DoesNotContain(lab.Outside.Origin.Seen, request => request.Target == path + "/after" || request.Target == path + "/anew");
        Assert.Matches("^(403 ADDRESS_DENIED|no such name)$", seen[2]);
    }

    private static string Injecting(string domain) =>
        $$"""{"mode": "custom", "transforms": [{"domain": "{{domain}}", "inject_headers": {"Authorization": "Bearer {{Policies.Injected}}"} }]}""";

    private async Task<string[]> AskAsync(string isolation, string name, string path, string policy, string tightened)
    {
        var id = await ReadyAsync(isolation, policy);
        try
        {
            var asking = lab.PythonAsync(id, "user", SecurityLab.Program("attack.py") + AskTwice, name, path);
            await Eventually.Async("the first request is answered", TimeSpan.FromSeconds(30), async () =>
                asking.IsCompleted || (await lab.ShellAsync(id, "ls /tmp")).Contains("answered", StringComparison.Ordinal));
            if (!asking.IsCompleted)
            {
                await ChangeAsync(id, tightened);
                await lab.ShellAsync(id, "touch /tmp/changed");
            }

            return (await asking).Split('\n');
        }
        finally
        {
            await lab.Boxes.EndAsync(id);
        }
    }

    private Task<string> ReadyAsync(string isolation, string policy)
    {
        var create = Policies.Under(policy);
        (create["runtime"], create["isolation"]) = ("python", isolation);
        return lab.Boxes.ReadyAsync(create);
    }

    private async Task ChangeAsync(string id, string policy)
    {
        var body = JsonNode.Parse(policy)!.AsObject();
        body["id"] = id;
        Assert.Equal(HttpStatusCode.OK, (await lab.PutAsync("/v1/sandboxes/network-policy", body)).Status);
    }
}
