using Corral.Scheduler.Nodes;
using Corral.Scheduler.V1;

namespace Corral.Scheduler.Placement;

/// <summary>What a look at the fleet says of a request.</summary>
/// <param name="Candidates">Nodes with room, the best first.</param>
/// <param name="Wish">Nodes that are there and could take it if they were empty: what it waits for.</param>
/// <param name="Possible">Whether some node could take it, if it were empty, and there.</param>
internal sealed record Ranking(IReadOnlyList<NodeState> Candidates, IReadOnlyList<NodeState> Wish, bool Possible);

/// <summary>Decides where a sandbox should run: a pure function of the fleet and the request.</summary>
internal static class Placer
{
    public static Ranking Rank(IReadOnlyList<NodeState> fleet, ReserveRequest request, DateTimeOffset now, SchedulerOptions options)
    {
        var suitable = fleet.Where(node => Suits(node, request) && FitsEmpty(node, request.Shape)).ToList();
        var there = suitable.Where(node => Takes(node, now, options)).ToList();
        // Where it failed before is better than nowhere.
        var fresh = there.Where(node => !request.ExcludedNodeIds.Contains(node.Id)).ToList();
        var wish = fresh.Count > 0 ? fresh : there;
        var candidates = wish
            .Where(node => HasRoom(node, request.Shape))
            .OrderByDescending(node => request.Region.Length > 0 && node.Description.Region == request.Region)
            .ThenBy(Committed)
            .ThenBy(node => node.Id, StringComparer.Ordinal)
            .Take(options.Candidates)
            .ToList();
        return new Ranking(candidates, wish, suitable.Count > 0);
    }

    /// <summary>The isolation that the sandbox gets on a node: the one it asks for, else the node's first.</summary>
    public static string Isolation(NodeState node, ReserveRequest request) =>
        request.Isolation.Length > 0 ? request.Isolation : node.Description.Isolations.FirstOrDefault("");

    private static bool Suits(NodeState node, ReserveRequest request) =>
        node.Description.Templates.Contains(request.Template)
        && (request.Isolation.Length == 0 ? node.Description.Isolations.Count > 0 : node.Description.Isolations.Contains(request.Isolation));

    private static bool Takes(NodeState node, DateTimeOffset now, SchedulerOptions options) =>
        !node.Cordoned && node.Accepting && now - node.LastSeen <= options.NodeSilence;

    private static bool HasRoom(NodeState node, Shape shape) =>
        node.Sandboxes < node.Description.MaxSandboxes
        && node.CommittedCpu + shape.CpuMillis <= node.Description.Capacity.CpuMillis
        && node.CommittedMemory + shape.MemoryBytes <= node.Description.Capacity.MemoryBytes
        && node.CommittedDisk + shape.DiskBytes <= node.Description.Capacity.DiskBytes;

    private static bool FitsEmpty(NodeState node, Shape shape) =>
        node.Description.MaxSandboxes > 0
        && shape.CpuMillis <= node.Description.Capacity.CpuMillis
        && shape.MemoryBytes <= node.Description.Capacity.MemoryBytes
        && shape.DiskBytes <= node.Description.Capacity.DiskBytes;

    // The share of the scarcest resource that is given away.
    private static double Committed(NodeState node)
    {
        var capacity = node.Description.Capacity;
        return new[]
        {
            Share(node.CommittedCpu, capacity.CpuMillis),
            Share(node.CommittedMemory, capacity.MemoryBytes),
            Share(node.CommittedDisk, capacity.DiskBytes),
            Share(node.Sandboxes, node.Description.MaxSandboxes),
        }.Max();
    }

    private static double Share(long committed, long capacity) => capacity == 0 ? 1 : (double)committed / capacity;
}
