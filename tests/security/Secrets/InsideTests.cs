using Corral.Security.Tests.Lab;
using Xunit;

namespace Corral.Security.Tests.Secrets;

/// <summary>Root of a sandbox looks everywhere for the secrets that are used for it, and for those of others.</summary>
public sealed class InsideTests(SecurityLab lab)
{
    private static readonly string[] Everywhere = ["environments", "command lines", "memory", "descriptors", "files", "kernel", "core dumps"];

    public static IEnumerable<TheoryDataRow<string, string, bool>> Places =>
        from isolation in new[] { "runc", "runsc" }
        from proxied in new[] { false, true }
        from place in Everywhere
        select new TheoryDataRow<string, string, bool>(place, isolation, proxied);

    [Theory]
    [MemberData(nameof(Places))]
    public async Task Place_HoldsNoSecret(string place, string isolation, bool proxied)
    {
        var hunt = (await lab.HuntAsync(isolation, proxied))[place];

        Assert.Empty(hunt.Found);
        Assert.NotEqual(0, hunt.Bytes);
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task PlantedValue_IsFoundInEveryPlace(string isolation)
    {
        var since = TimeProvider.System.GetUtcNow();
        var needles = new Needles();
        var planted = needles.Make("planted");
        var id = await lab.Boxes.ReadyAsync(new() { ["runtime"] = "python", ["isolation"] = isolation, ["env"] = new System.Text.Json.Nodes.JsonObject { ["PLANTED"] = planted } });
        try
        {
            await lab.ShellAsync(id, $"mkdir -p /tmp/crash /root/deep/er; echo {planted} | tee /tmp/crash/core > /root/deep/er/file; (exec -a {planted} sleep 1000) > /dev/null 2>&1 & tail -f /root/deep/er/file > /dev/null 2>&1 & true");

            var hunts = await Hunt.InsideAsync(lab, id, since, needles);

            foreach (var place in Everywhere.Except(["kernel"])) Assert.True(hunts[place].Found.Count > 0, $"It was planted in {place}, and not found there.");
        }
        finally
        {
            await lab.Boxes.EndAsync(id);
        }
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task Guest_ShowsNothingOfItselfToRoot(string isolation)
    {
        var secrets = await lab.SecretsAsync();
        var id = secrets.Sandboxes[(isolation, false)];

        foreach (var file in new[] { "/proc/1/mem", "/proc/1/environ", "/proc/1/auxv", "/proc/1/maps", "/proc/1/fd/", "/proc/1/root/etc/shadow" })
        {
            var seen = await lab.ShellAsync(id, $"ls -la {file} 2>&1; head -c 65536 {file} 2>&1");
            Assert.Empty(secrets.Needles.In(seen));
            Assert.Empty(secrets.Tokens.In(seen));
        }

        var limits = await lab.ShellAsync(id, "ulimit -Hc; ulimit -c unlimited && echo raised");
        Assert.StartsWith("0\n", limits, StringComparison.Ordinal);
        Assert.DoesNotContain("raised\n", limits, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task Environment_HoldsTheProxyNowhere_AndThePlaceholderInPlaceOfTheSecret(string isolation)
    {
        var secrets = await lab.SecretsAsync();

        var seen = await lab.ShellAsync(secrets.Sandboxes[(isolation, true)], "env; cat /proc/*/environ 2> /dev/null | tr '\\0' '\\n'", "user");

        Assert.Matches("TOKEN=corral-secret-[a-z0-9]{32}\n", seen);
        Assert.DoesNotContain(ForwardProxy.User, seen, StringComparison.Ordinal);
        Assert.DoesNotContain("proxy.test", seen, StringComparison.Ordinal);
    }
}
