using System.Net;
using System.Text.Json.Nodes;
using Xunit;

namespace Corral.EndToEnd.Tests;

/// <summary>A sandbox from create to its end, as the boxes documents show it.</summary>
public sealed class LifeTests(SharedInstance shared)
{
    private static readonly string[] SessionFields =
    [
        "id", "status", "runtime", "size", "region", "terminalUrl", "previewBaseUrl", "capabilities", "pairedBrowser",
        "opencode", "browserPreview", "humanHandoff", "artifacts", "duration", "createdAt", "startedAt", "endedAt",
        "expiresAt", "maxDurationMs", "ephemeral", "env", "failureReason", "endReason", "networkPolicy",
    ];

    [Fact]
    public async Task EmptyBody_MakesABunSandboxWithDefaults()
    {
        var created = await shared.Boxes.PostTextAsync("/v1/sandboxes", "{}");

        Assert.Equal(HttpStatusCode.Created, created.Status);
        var session = created.Body!.AsObject();
        Assert.Matches("^sbx-[a-z][a-z2-7]{25}$", (string)session["id"]!);
        Assert.Equal("bun", (string)session["runtime"]!);
        Assert.Equal("standard", (string)session["size"]!);
        Assert.Null(session["capabilities"]);
        Assert.True((bool)session["ephemeral"]!);
        Assert.Equal(7_200_000, (long)session["maxDurationMs"]!);
        await shared.Boxes.UntilAsync((string)session["id"]!, "ready");
        await shared.Boxes.EndAsync((string)session["id"]!);
    }

    [Fact]
    public async Task AReadySandbox_HasEveryFieldOfTheDocument_NullWhereThereIsNothing()
    {
        var id = await shared.SandboxAsync("runc");

        var session = (await shared.Boxes.GetAsync($"/v1/sandboxes?id={id}")).Body!.AsObject();

        Assert.All(SessionFields, field => Assert.True(session.ContainsKey(field), field));
        Assert.InRange((long)session["createdAt"]!, 1_700_000_000_000, 4_000_000_000_000);
        Assert.True((long)session["startedAt"]! >= (long)session["createdAt"]!);
        Assert.True((long)session["expiresAt"]! > (long)session["startedAt"]!);
        Assert.Null(session["duration"]);
        Assert.Null(session["endedAt"]);
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task ASandbox_RunsACommand_AndEnds(string isolation)
    {
        var id = await shared.Boxes.ReadyAsync(new() { ["runtime"] = "base", ["isolation"] = isolation });

        var result = await shared.Boxes.ExecAsync(id, "echo hello && id -un && pwd");
        var ended = await shared.Boxes.EndAsync(id);
        var again = await shared.Boxes.EndAsync(id);

        Assert.Equal("hello\nuser\n/workspace\n", (string)result["stdout"]!);
        Assert.Equal(0, (int)result["exitCode"]!);
        Assert.Equal((HttpStatusCode.OK, "{\"ok\":true}"), (ended.Status, ended.Text));
        Assert.Equal(HttpStatusCode.OK, again.Status);
        var session = await shared.Boxes.UntilAsync(id, "ended");
        Assert.Equal("client", (string)session["endReason"]!);
        Assert.True((long)session["duration"]! > 0);
        var refused = await shared.Boxes.PostAsync("/v1/sandboxes/exec", new() { ["id"] = id, ["command"] = "true" });
        Assert.Equal((HttpStatusCode.Conflict, "Sandbox is not ready"), (refused.Status, refused.Error));
    }

    [Fact]
    public async Task ASandbox_EndsWhenItsTimeIsUp()
    {
        var id = await shared.Boxes.ReadyAsync(new() { ["runtime"] = "base", ["maxDurationMs"] = 1500 });

        var session = await shared.Boxes.UntilAsync(id, "ended");

        Assert.Equal("expired", (string)session["endReason"]!);
    }

    [Fact]
    public async Task TheEnvironment_ReachesCommands_AndOnlyItsNamesAreAnswered()
    {
        var id = await shared.Boxes.ReadyAsync(new()
        {
            ["runtime"] = "base",
            ["env"] = new JsonObject { ["JOB_ID"] = "job_42", ["PASSPHRASE"] = "correct horse" },
        });

        var result = await shared.Boxes.ExecAsync(id, "printf '%s|%s|%s' \"$JOB_ID\" \"$PASSPHRASE\" \"$MORE\"", new() { ["env"] = new JsonObject { ["MORE"] = "yes" } });
        var session = await shared.Boxes.GetAsync($"/v1/sandboxes?id={id}");
        await shared.Boxes.EndAsync(id);

        Assert.Equal("job_42|correct horse|yes", (string)result["stdout"]!);
        Assert.Equal(["JOB_ID", "PASSPHRASE"], session.Body!["env"]!.AsArray().Select(n => (string)n!).Order());
        Assert.DoesNotContain("correct horse", session.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TheList_HoldsTheOrganisationsSandboxes()
    {
        var id = await shared.SandboxAsync("runc");

        var list = await shared.Boxes.GetAsync("/v1/sandboxes");

        Assert.Equal(HttpStatusCode.OK, list.Status);
        Assert.Contains(list.Body!["items"]!.AsArray(), item => (string)item!["id"]! == id);
        Assert.True((int)list.Body["total_items"]! >= 1);
    }

    [Fact]
    public async Task TheEnvironmentOfOneTenant_IsNotInTheNextSandbox()
    {
        for (var i = 0; i < 3; i++)
        {
            var id = await shared.Boxes.ReadyAsync(new() { ["runtime"] = "base", ["env"] = new JsonObject { [$"MARK_{i}"] = "x" } });
            var seen = (string)(await shared.Boxes.ExecAsync(id, "env | grep ^MARK_ | sort; ls -A /workspace /tmp"))["stdout"]!;
            await shared.Boxes.ExecAsync(id, "touch /workspace/left /tmp/left");
            await shared.Boxes.EndAsync(id);

            Assert.Contains($"MARK_{i}=x", seen, StringComparison.Ordinal);
            Assert.DoesNotContain($"MARK_{i - 1}", seen, StringComparison.Ordinal);
            Assert.DoesNotContain("left", seen, StringComparison.Ordinal);
        }
    }
}
