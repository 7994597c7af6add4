using System.Text.Json.Nodes;
using Corral.Fault.Tests.Lab;
using Corral.Tests.Instance;
using Xunit;

namespace Corral.Fault.Tests;

/// <summary>Servers outside that stall, break off, and lie about what they send.</summary>
public sealed class UpstreamTests(FaultyInternet internet, FaultyInstance faulty) : IClassFixture<FaultyInstance>
{
    private const string Whole = FaultyServer.Whole + "\n";

    private static readonly string[] Faults =
        ["/silent", "/stalls", "/resets", "/says-more-than-it-has", "/cuts-its-chunks", "/ends-between-chunks", "/breaks-its-head"];

    // By the client's own protocol, and through a tunnel by the server's.
    private static readonly Dictionary<string, string> Ways = new()
    {
        ["a transform, HTTP/2"] = $"--http2 https://{FaultyInternet.Transformed}",
        ["a transform, HTTP/1.1"] = $"--http1.1 https://{FaultyInternet.Transformed}",
        ["a tunnel"] = $"--cacert {FaultyInternet.AuthorityPath} https://{FaultyInternet.Untouched}",
    };

    private Instance Instance => faulty.Instance;

    public static IEnumerable<TheoryDataRow<string>> AllWays => Ways.Keys.Select(way => new TheoryDataRow<string>(way));

    [Theory]
    [MemberData(nameof(AllWays))]
    public async Task AnAnswerThatIsNotWhole_IsAnErrorToTheClient_AndNothingElseSuffers(string way)
    {
        var id = await internet.SandboxAsync(Instance, "runc");
        var egress = (await Instance.ServicesAsync())["egress"].Pid;

        // At once: one that stalls holds no other up.
        var broken = await Task.WhenAll(Faults.Select(fault => AskAsync(id, way, fault)));
        var whole = await AskAsync(id, way, "/");

        Assert.All(Faults.Zip(broken), pair => Assert.True((int)pair.Second["exitCode"]! is not 0, $"{pair.First}: {pair.Second.ToJsonString()}"));
        Assert.Equal(Whole, (string)whole["stdout"]!);
        Assert.Equal(egress, (await Instance.ServicesAsync())["egress"].Pid);
        await Instance.Boxes.EndAsync(id);
    }

    [Theory]
    [MemberData(nameof(AllWays))]
    public async Task AnAnswerThatIsLongerThanItSays_EndsWhereItSays_AndTheRestAnswersNobody(string way)
    {
        var id = await internet.SandboxAsync(Instance, "runc");

        // On a connection that the client keeps.
        var both = await AskAsync(id, way, "/has-more-than-it-says", "/");
        var other = await AskAsync(id, way, "/");

        Assert.Equal(Whole + Whole, (string)both["stdout"]!);
        Assert.Equal(Whole, (string)other["stdout"]!);
        await Instance.Boxes.EndAsync(id);
    }

    private Task<JsonNode> AskAsync(string id, string way, params string[] paths)
    {
        var at = Ways[way].LastIndexOf(' ');
        var urls = paths.Select(path => Ways[way][at..] + path);
        return Instance.Boxes.ExecAsync(id, $"curl -sS -f --max-time 8 -w '\\n' {Ways[way][..at]}{string.Concat(urls)}");
    }
}
