using Corral.Redis;
using Corral.Scheduler.Nodes;
using Corral.Scheduler.Placement;
using Corral.Scheduler.V1;
using Corral.Tests.Support;
using Microsoft.Extensions.Options;

namespace Corral.Scheduler.Tests;

/// <summary>A clock that a test moves.</summary>
internal sealed class ManualClock : TimeProvider
{
    public DateTimeOffset Now { get; set; } = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public override DateTimeOffset GetUtcNow() => Now;
}

/// <summary>The stores of one replica, on a real Redis.</summary>
internal sealed class Replica(RedisServer server, ManualClock clock) : IAsyncDisposable
{
    private readonly RedisConnection _redis = new(server.SocketPath);

    public NodeStore Nodes => new(_redis, clock);

    public ReservationStore Reservations => new(_redis, Nodes, Options.Create(new SchedulerOptions()), clock);

    public GrantFeed Grants => new(_redis);

    public ValueTask DisposeAsync() => _redis.DisposeAsync();
}

internal static class Fleet
{
    public const long Gibibyte = 1L << 30;

    public static NodeDescription Node(string id, int slots = 10, string region = "iad", params string[] isolations)
    {
        var node = new NodeDescription
        {
            NodeId = id,
            Address = "unix:/run/" + id,
            Region = region,
            Capacity = new Shape { CpuMillis = 2000 * slots, MemoryBytes = 4 * Gibibyte * slots, DiskBytes = 10 * Gibibyte * slots },
            MaxSandboxes = slots,
            Templates = { "base", "bun" },
        };
        node.Isolations.AddRange(isolations.Length == 0 ? ["runsc", "runc"] : isolations);
        return node;
    }

    public static ReserveRequest Request(string sandbox, string organization = "org", long generation = 1) => new()
    {
        SandboxId = sandbox,
        Generation = generation,
        OrganizationId = organization,
        Shape = new Shape { CpuMillis = 2000, MemoryBytes = 4 * Gibibyte, DiskBytes = 10 * Gibibyte },
        Template = "base",
    };
}
