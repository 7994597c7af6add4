using System.Net;
using Corral.Tests.Support;
using Xunit;

namespace Corral.EndToEnd.Tests;

/// <summary>The operator takes a node out of service.</summary>
public sealed class DrainTests
{
    [Fact]
    public async Task ADrainedNode_EndsWhatStillRunsAtTheDeadline_AndTakesNothingNew_UntilItIsTakenBackIn()
    {
        await using var instance = await Corral.Tests.Instance.Instance.StartAsync("drain");
        var boxes = instance.Boxes;
        var node = (string)(await boxes.GetAsync("/v1/admin/nodes")).Body!["items"]![0]!["id"]!;
        var id = await boxes.ReadyAsync(new() { ["runtime"] = "base", ["isolation"] = "runc" });

        var drained = await boxes.PostAsync("/v1/admin/nodes/drain", new() { ["id"] = node, ["reason"] = "A new kernel.", ["deadlineMs"] = 1000 });
        var session = await boxes.UntilAsync(id, "ended");
        await Eventually.Async("the node is empty", async () => (bool)(await boxes.GetAsync("/v1/admin/nodes")).Body!["items"]![0]!["drain"]!["done"]!);
        var waiting = (string)(await boxes.PostAsync("/v1/sandboxes", new() { ["runtime"] = "base", ["isolation"] = "runc" })).Body!["id"]!;
        Assert.Equal("queued", (string)(await boxes.GetAsync($"/v1/sandboxes?id={waiting}")).Body!["status"]!);
        await boxes.PostAsync("/v1/admin/nodes/cordon", new() { ["id"] = node, ["cordoned"] = false });
        await boxes.UntilAsync(waiting, "ready");

        Assert.Equal((true, "A new kernel."), ((bool)drained.Body!["cordoned"]!, (string)drained.Body["drain"]!["reason"]!));
        Assert.Equal(("operator", "A new kernel."), ((string)session["endReason"]!, (string)session["failureReason"]!));
        Assert.Equal(HttpStatusCode.NotFound, (await boxes.PostAsync("/v1/admin/nodes/cordon", new() { ["id"] = "nobody" })).Status);
    }
}
