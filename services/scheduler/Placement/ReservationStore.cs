using Corral.Redis;
using Corral.Scheduler.Nodes;
using Corral.Scheduler.V1;
using Google.Protobuf.WellKnownTypes;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Corral.Scheduler.Placement;

/// <summary>What became of a request for room.</summary>
internal abstract record ReserveOutcome
{
    /// <summary>Room is reserved.</summary>
    internal sealed record Reserved(Reservation Reservation) : ReserveOutcome;

    /// <summary>There is no room where it could run; 1 is next.</summary>
    internal sealed record Queued(int Position) : ReserveOutcome;

    /// <summary>No node could take it, even an empty one.</summary>
    internal sealed record Impossible : ReserveOutcome;

    /// <summary>A newer generation holds room already.</summary>
    internal sealed record Stale : ReserveOutcome;
}

/// <summary>Room on nodes and the queue for it, changed only by scripts, so that any number of replicas agree.</summary>
internal sealed class ReservationStore(RedisConnection redis, NodeStore nodes, IOptions<SchedulerOptions> options, TimeProvider clock)
{
    private const string Unconfirmed = "{nodes}:unconfirmed";
    private const string Queue = "{nodes}:queue";
    private const string QueueFacts = "{nodes}:queue:facts";
    private const string QueueLast = "{nodes}:queue:last";
    private const string QueueWishes = "{nodes}:queue:wishes";

    private static readonly RedisScript ReserveScript = RedisScript.Embedded(typeof(ReservationStore).Assembly, "queue.lua", "reserve.lua");
    private static readonly RedisScript ConfirmScript = RedisScript.Embedded(typeof(ReservationStore).Assembly, "confirm.lua");
    private static readonly RedisScript ReleaseScript = RedisScript.Embedded(typeof(ReservationStore).Assembly, "queue.lua", "release.lua");

    public async Task<ReserveOutcome> ReserveAsync(ReserveRequest request)
    {
        var now = clock.GetUtcNow();
        var fleet = await nodes.ReadAsync();
        var ranking = Placer.Rank(fleet, request, now, options.Value);
        if (!ranking.Possible)
        {
            return new ReserveOutcome.Impossible();
        }

        var expires = now + options.Value.ReservationTime;
        RedisValue[] arguments =
        [
            request.SandboxId, request.Generation, request.OrganizationId,
            request.Shape.CpuMillis, request.Shape.MemoryBytes, request.Shape.DiskBytes,
            now.ToUnixTimeMilliseconds(), expires.ToUnixTimeMilliseconds(), string.Concat(ranking.Wish.Select(node => $" {node.Id} ")),
            .. ranking.Candidates.Select(n => (RedisValue)n.Id),
        ];
        var result = (RedisResult[])(await ReserveScript.RunAsync(redis, [Key(request.SandboxId), Unconfirmed, Queue, QueueFacts, QueueLast, QueueWishes], arguments))!;
        return (int)result[0] switch
        {
            1 => new ReserveOutcome.Reserved(Describe(fleet.First(n => n.Id == (string)result[1]!), request, expires)),
            2 => new ReserveOutcome.Queued((int)result[1]),
            _ => new ReserveOutcome.Stale(),
        };
    }

    /// <summary>False when the reservation is gone.</summary>
    public async Task<bool> ConfirmAsync(string sandboxId, long generation) =>
        (int)await ConfirmScript.RunAsync(redis, [Key(sandboxId), Unconfirmed], sandboxId, generation) == 1;

    public Task ReleaseAsync(string sandboxId, long generation) =>
        ReleaseScript.RunAsync(redis, [Key(sandboxId), Unconfirmed, Queue, QueueFacts, QueueWishes], sandboxId, generation);

    private static string Key(string sandboxId) => "{nodes}:r:" + sandboxId;

    private static Reservation Describe(NodeState node, ReserveRequest request, DateTimeOffset expires) => new()
    {
        NodeId = node.Id,
        NodeAddress = node.Description.Address,
        Region = node.Description.Region,
        Isolation = Placer.Isolation(node, request),
        ExpiresAt = expires.ToTimestamp(),
    };
}
