using Corral.Redis;
using Corral.Scheduler.V1;
using Google.Protobuf;
using StackExchange.Redis;

namespace Corral.Scheduler.Nodes;

/// <summary>The fleet, in Redis: <c>{nodes}:list</c> names the nodes, <c>{nodes}:n:&lt;id&gt;</c> holds one.</summary>
internal sealed class NodeStore(RedisConnection redis, TimeProvider clock)
{
    public const string List = "{nodes}:list";
    public const string Prefix = "{nodes}:n:";

    /// <summary>Writes what a node told of itself. What sandboxes hold of it stays.</summary>
    public Task DescribeAsync(NodeDescription node) => redis.RunAsync(async database =>
    {
        var shape = node.Capacity ?? new Shape();
        await database.HashSetAsync(Prefix + node.NodeId,
        [
            new("description", node.ToByteArray()),
            new("cpu", shape.CpuMillis),
            new("memory", shape.MemoryBytes),
            new("disk", shape.DiskBytes),
            new("max", node.MaxSandboxes),
            new("accepting", 1),
            new("seen", clock.GetUtcNow().ToUnixTimeMilliseconds()),
        ]);
        return await database.SetAddAsync(List, node.NodeId);
    });

    /// <summary>Writes a sign of life.</summary>
    public Task SeenAsync(string nodeId, bool accepting) => redis.RunAsync(async database =>
    {
        await database.HashSetAsync(Prefix + nodeId, [new("seen", clock.GetUtcNow().ToUnixTimeMilliseconds()), new("accepting", accepting)]);
        return true;
    });

    /// <summary>Takes a node out of placement, or back in, which ends a drain; false when it is not known.</summary>
    public Task<bool> CordonAsync(string nodeId, bool cordoned) => redis.RunAsync(async database =>
    {
        if (!await database.SetContainsAsync(List, nodeId))
        {
            return false;
        }

        if (!cordoned)
        {
            await database.HashDeleteAsync(Prefix + nodeId, "drain");
        }

        await database.HashSetAsync(Prefix + nodeId, "cordoned", cordoned);
        return true;
    });

    /// <summary>Takes a node out of placement and writes down how it is drained; false when it is not known.</summary>
    public Task<bool> DrainAsync(string nodeId, NodeDrain drain) => redis.RunAsync(async database =>
    {
        if (!await database.SetContainsAsync(List, nodeId))
        {
            return false;
        }

        await database.HashSetAsync(Prefix + nodeId, [new("cordoned", true), new("drain", drain.ToByteArray())]);
        return true;
    });

    /// <summary>All nodes, by id.</summary>
    public Task<IReadOnlyList<NodeState>> ReadAsync() => redis.RunAsync<IReadOnlyList<NodeState>>(async database =>
    {
        var ids = await database.SetMembersAsync(List);
        var hashes = await Task.WhenAll(ids.Select(id => database.HashGetAllAsync(Prefix + (string)id!)));
        return [.. hashes.Where(h => h.Length > 0).Select(Parse).OfType<NodeState>().OrderBy(n => n.Id, StringComparer.Ordinal)];
    });

    private static NodeState? Parse(HashEntry[] entries)
    {
        var fields = entries.ToDictionary(e => (string)e.Name!, e => e.Value, StringComparer.Ordinal);
        if (!fields.TryGetValue("description", out var description))
        {
            return null;
        }

        RedisValue Field(string name) => fields.GetValueOrDefault(name);
        return new NodeState(
            NodeDescription.Parser.ParseFrom((byte[])description!),
            (long)Field("used:cpu"),
            (long)Field("used:memory"),
            (long)Field("used:disk"),
            (int)Field("used:count"),
            (bool)Field("cordoned"),
            (bool)Field("accepting"),
            DateTimeOffset.FromUnixTimeMilliseconds((long)Field("seen")),
            Field("drain") is { IsNull: false } drain ? NodeDrain.Parser.ParseFrom((byte[])drain!) : null);
    }
}
