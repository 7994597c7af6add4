using System.Diagnostics;
using System.Net;
using Corral.Tests.Instance;
using Xunit;

namespace Corral.EndToEnd.Tests;

/// <summary>Answers are kept, and nobody notices: what was written is in the next answer.</summary>
public sealed class KeptAnswerTests(SharedInstance shared)
{
    private static readonly string[] States = ["queued", "assigning", "ready", "active", "ending", "ended"];

    [Fact]
    public async Task WhatIsCreatedAndEnded_IsInTheNextAnswer_EachOfFiftyTimes()
    {
        using var ours = await shared.OrganizationAsync("scale");
        for (var i = 1; i <= 50; i++)
        {
            // So that there is an answer that is kept.
            await ours.GetAsync("/v1/sandboxes");
            var id = (string)(await ours.PostAsync("/v1/sandboxes", new() { ["runtime"] = "base" })).Body!["id"]!;
            var list = (await ours.GetAsync("/v1/sandboxes")).Body!;
            var one = await ours.GetAsync("/v1/sandboxes?id=" + id);
            Assert.Equal((i, id), ((int)list["total_items"]!, (string)list["items"]![0]!["id"]!));
            Assert.Equal((HttpStatusCode.OK, id), (one.Status, (string)one.Body!["id"]!));

            await ours.EndAsync(id);

            Assert.Contains((string)(await ours.GetAsync("/v1/sandboxes?id=" + id)).Body!["status"]!, new[] { "ending", "ended" });
            Assert.Contains((string)(await ours.GetAsync("/v1/sandboxes")).Body!["items"]![0]!["status"]!, new[] { "ending", "ended" });
        }
    }

    [Fact]
    public async Task WhatAWatchHasTold_AnswersTellInAMoment()
    {
        // Far less than answers are kept; a notice takes less than a millisecond, but the processors may be busy.
        var moment = TimeSpan.FromMilliseconds(400);
        using var ours = await shared.OrganizationAsync("scale");
        for (var i = 0; i < 5; i++)
        {
            var id = (string)(await ours.PostAsync("/v1/sandboxes", new() { ["runtime"] = "base" })).Body!["id"]!;
            using var watch = await EventSource.GetAsync(ours, "/v1/sandboxes/watch?id=" + id);
            while (await watch.NextAsync() is { } happened)
            {
                var (told, since) = ((string)happened.Data["status"]!, Stopwatch.StartNew());
                while (true)
                {
                    var asked = since.Elapsed;
                    var answered = (string)(await ours.GetAsync("/v1/sandboxes?id=" + id)).Body!["status"]!;
                    if (Array.IndexOf(States, answered) >= Array.IndexOf(States, told))
                    {
                        break;
                    }

                    Assert.True(asked < moment, $"{answered} was answered {asked} after {told} was told");
                }

                if (told == "ready")
                {
                    await ours.EndAsync(id);
                }
            }
        }
    }

    [Fact]
    public async Task ARevokedKey_IsRefusedWithinASecond_ThoughItsAnswersAreKept()
    {
        using var ours = await shared.OrganizationAsync("builder");
        var made = (await ours.PostTextAsync("/v1/api-keys", "{\"name\":\"reader\",\"scopes\":[\"sandbox_sessions:read\"]}")).Body!;
        using var reader = new BoxesClient(shared.Instance.Endpoint, (string)made["key"]!);
        Assert.Equal(HttpStatusCode.OK, (await reader.GetAsync("/v1/sandboxes")).Status);

        await ours.DeleteAsync("/v1/api-keys?id=" + (string)made["id"]!);
        var since = Stopwatch.StartNew();
        while (true)
        {
            var asked = since.Elapsed;
            if ((await reader.GetAsync("/v1/sandboxes")).Status == HttpStatusCode.Unauthorized)
            {
                break;
            }

            Assert.True(asked < TimeSpan.FromSeconds(1), $"the key was taken {asked} after it was revoked");
        }

        var listed = (await ours.GetAsync("/v1/api-keys")).Body!["items"]!.AsArray();
        Assert.Equal("revoked", (string)listed.Single(key => (string)key!["id"]! == (string)made["id"]!)!["status"]!);
    }
}
