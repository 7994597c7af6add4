using Corral.Security.Tests.Lab;
using Xunit;

namespace Corral.Security.Tests.Egress;

/// <summary>Sandboxes do not see each other, whatever runs them.</summary>
public sealed class NeighbourTests(SecurityLab lab)
{
    private const string Serve = "python3 -m http.server 9999 --bind 0.0.0.0 > /dev/null 2>&1 & for n in $(seq 100); do curl -s -o /dev/null http://127.0.0.1:9999/ && break; sleep 0.1; done; echo serving";

    [Theory]
    [InlineData("runc", "runc")]
    [InlineData("runc", "runsc")]
    [InlineData("runsc", "runc")]
    [InlineData("runsc", "runsc")]
    public async Task ServerOfOneSandbox_IsReachedFromNoOther(string server, string client)
    {
        var serving = await lab.SandboxAsync("neighbour-serving", server, Policies.Everything);
        var other = await lab.SandboxAsync("neighbour-trying", client, Policies.Everything);
        Assert.Contains("serving", await lab.ShellAsync(serving, Serve), StringComparison.Ordinal);

        // All sandboxes have the same address, so it is also one's own; the gate's, and those that pools might give, are nobody's.
        foreach (var address in new[] { "100.64.0.2", "100.64.0.1", "100.64.0.6", "100.64.0.10", "203.0.113.1" })
        {
            var seen = await lab.ShellAsync(other, $"curl -s -m 5 -o /dev/null -w '%{{http_code}} %{{exitcode}}' http://{address}:9999/", "user");
            Assert.Matches("^(000 (7|56|52)|403 0)$", seen);
        }
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task WhatIsAllowed_IsReached_SoThatTheOtherTestsMeanSomething(string isolation)
    {
        var id = await lab.SandboxAsync("addresses", isolation, Policies.Everything);

        Assert.Contains("203.0.113.11", await lab.ShellAsync(id, "curl -s -m 5 http://203.0.113.11/reached", "user"), StringComparison.Ordinal);
        Assert.Contains("203.0.113.11", await lab.ShellAsync(id, "curl -s -m 5 http://other.test/reached", "user"), StringComparison.Ordinal);
        Assert.Contains(lab.Outside.Packets.Seen, packet => packet.To.Equals(Outside.Other) && packet.Protocol == 6);
    }
}
