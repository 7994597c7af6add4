using System.Globalization;
using System.Text.Json.Nodes;
using Corral.Tests.Instance;

namespace Corral.Bench;

/// <summary>What it costs inside a sandbox to start <c>true</c> and to wait for it, when a program of its own does: no command from outside can take less.</summary>
internal static class InsideFloor
{
    // posix_spawn, as the guest does it: nothing of the starting program's memory is copied.
    private const string Program = """
        import os, sys, time
        for turn in range(int(sys.argv[1]) + 5):
            began = time.perf_counter()
            os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
            if turn >= 5: print((time.perf_counter() - began) * 1000)
        """;

    public static async Task<Samples> MeasureAsync(Instance instance, string isolation, int count)
    {
        var id = await instance.Boxes.ReadyAsync(new() { ["runtime"] = "python", ["isolation"] = isolation });
        var answer = await instance.Boxes.PostAsync("/v1/sandboxes/exec", new JsonObject
        {
            ["id"] = id, ["command"] = "python3", ["args"] = new JsonArray("-c", Program, count.ToString(CultureInfo.InvariantCulture)),
        });
        var samples = new Samples($"true, started by a program in the same {isolation} sandbox");
        foreach (var line in ((string?)answer.Body?["stdout"] ?? throw new InvalidOperationException(answer.Text)).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            samples.Add(TimeSpan.FromMilliseconds(double.Parse(line, CultureInfo.InvariantCulture)));
        }

        await instance.Boxes.EndAsync(id);
        return samples;
    }
}
