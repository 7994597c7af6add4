using System.Net;
using Corral.Fault.Tests.Lab;
using Corral.Tests.Instance;
using Corral.Tests.Support;
using Xunit;

namespace Corral.Fault.Tests;

/// <summary>The egress service, killed while sandboxes use it.</summary>
public sealed class EgressTests(FaultyInternet internet, FaultyInstance faulty) : IClassFixture<FaultyInstance>
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    // Asks in both ways that are allowed and in two that are not, until it is told to stop: a line for each, with what curl says of the answer.
    private static readonly string Load = $$"""
        echo $$ > pid
        ask() { echo "$1 $(curl -s -o /dev/null -w '%{http_code}' --max-time 2 $2)"; }
        until [ -e stop ]; do
            ask transform https://{{FaultyInternet.Transformed}}/load/$id
            ask tunnel "--cacert {{FaultyInternet.AuthorityPath}} https://{{FaultyInternet.Untouched}}/load/$id"
            ask forbidden "-k https://forbidden.test/"
            ask forbidden "-k https://{{FaultyInternet.Forbidden}}/"
            sleep 0.1
        done
        """;

    // A request that lasts as long as its connection does.
    private const string Hold = $"curl -s -o /dev/null --cacert {FaultyInternet.AuthorityPath} https://{FaultyInternet.Untouched}/stalls; echo \"$?\" > held";

    private Instance Instance => faulty.Instance;

    private int Held => internet.Server.Heads.Count(head => head.StartsWith("GET /stalls ", StringComparison.Ordinal));

    [Fact]
    public async Task EgressKilledUnderLoad_NothingLeaks_AndEverySandboxGoesOn()
    {
        var heldBefore = Held;
        string[] ids = await Task.WhenAll(new[] { "runc", "runc", "runsc" }.Select(isolation => internet.SandboxAsync(Instance, isolation)));
        foreach (var id in ids)
        {
            await Instance.Boxes.PostAsync("/v1/sandboxes/fs/write", new() { ["id"] = id, ["path"] = "load.sh", ["content"] = Load });
            await Instance.Boxes.ExecAsync(id, $"(id={id} bash load.sh > seen 2>&1 &); ({Hold}) > /dev/null 2>&1 &");
        }

        await WorkAsync(ids);
        await Eventually.Async("every sandbox holds a connection", () => Held == heldBefore + ids.Length);

        await Instance.KillAsync("egress");
        foreach (var id in ids) await Eventually.Async($"the connection of {id} is broken", Patience, async () => await ReadAsync(id, "held") is [not "0"]);
        await WorkAsync(ids);

        foreach (var id in ids)
        {
            var lines = await ReadAsync(id, "seen");
            Assert.All(lines, line => Assert.Matches("^((transform|tunnel) (200|000)|forbidden (000|403|421))$", line));
            Assert.Contains("transform 200", lines);
            Assert.Contains("tunnel 200", lines);
            Assert.Equal(0, (int)(await Instance.Boxes.ExecAsync(id, "kill -0 $(cat pid)"))["exitCode"]!);
            Assert.Contains((string)(await Instance.Boxes.GetAsync($"/v1/sandboxes?id={id}")).Body!["status"]!, new[] { "ready", "active" });
        }

        AssertNothingLeaked();
        foreach (var id in ids) await Instance.Boxes.EndAsync(id);
    }

    private void AssertNothingLeaked()
    {
        Assert.DoesNotContain(internet.Internet.Packets.Seen, packet => packet.To.Equals(FaultyInternet.Forbidden) || IsOfASandbox(packet.From));
        Assert.All(internet.Server.Heads, head => Assert.Equal(
            head.Contains($"\r\nHost: {FaultyInternet.Transformed}\r\n", StringComparison.OrdinalIgnoreCase),
            head.Contains($"\r\nAuthorization: {FaultyInternet.Injected}\r\n", StringComparison.OrdinalIgnoreCase)));
    }

    private static bool IsOfASandbox(IPAddress address) => address.GetAddressBytes() is [100, >= 64 and <= 127, ..] or [198, 18 or 19, ..];

    // From now on, every sandbox in both ways and again.
    private async Task WorkAsync(IReadOnlyList<string> ids)
    {
        var before = internet.Server.Heads.Count;
        string[] names = [FaultyInternet.Transformed, FaultyInternet.Untouched];
        await Eventually.Async("requests of every sandbox arrive, in both ways", Patience, () =>
        {
            var since = internet.Server.Heads.Skip(before).ToList();
            return Task.FromResult(ids.All(id => names.All(name => since.Count(head => IsOf(head, id, name)) > 1)));
        });
    }

    private static bool IsOf(string head, string id, string name) =>
        head.StartsWith($"GET /load/{id} ", StringComparison.Ordinal) && head.Contains($"\r\nHost: {name}\r\n", StringComparison.OrdinalIgnoreCase);

    // Whole lines only.
    private async Task<List<string>> ReadAsync(string id, string file)
    {
        var text = (string)(await Instance.Boxes.ExecAsync(id, $"cat {file}"))["stdout"]!;
        return [.. text.Split('\n')[..^1]];
    }
}
