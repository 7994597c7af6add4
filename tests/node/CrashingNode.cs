using System.Globalization;
using Corral.NodeAgent.Sandboxes;

namespace Corral.NodeAgent.Tests;

/// <summary>A node in a process of its own that starts sandboxes, and says so, until it is killed.</summary>
internal static class CrashingNode
{
    public static async Task<int> RunAsync(string[] args)
    {
        await using var node = await TestNode.StartAsync(args[1]);
        var count = int.Parse(args[3], CultureInfo.InvariantCulture);
        for (var i = 1; i <= count; i++)
        {
            var outcome = await node.Table.StartAsync(node.Order(args[2], id: $"sbx-crash{i}"), CancellationToken.None);
            Console.WriteLine(outcome is StartOutcome.Running ? $"running {i}" : $"failed {outcome}");
        }

        // Further starts are under way, in whatever phase, when the end comes.
        var more = Enumerable.Range(count + 1, 4).Select(i => node.Table.StartAsync(node.Order(args[2], id: $"sbx-crash{i}"), CancellationToken.None)).ToList();
        Console.WriteLine("starting");
        await Task.WhenAll(more);
        await Task.Delay(Timeout.Infinite);
        return 0;
    }
}
