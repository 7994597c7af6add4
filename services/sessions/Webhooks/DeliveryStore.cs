using System.Globalization;
using System.Text.Json;
using Corral.Redis;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Corral.Sessions.Webhooks;

/// <summary>Deliveries, in Redis. Each webhook has a queue for each subject, a sandbox as a rule, and a set of the subjects whose first is to be tried, by time.</summary>
internal sealed class DeliveryStore(RedisConnection redis, IOptions<WebhookOptions> options, TimeProvider clock)
{
    // A delivery that is never over, because its webhook is gone, goes by itself.
    private static readonly TimeSpan Abandoned = TimeSpan.FromDays(60);

    private static readonly RedisScript QueueScript = RedisScript.Embedded(typeof(DeliveryStore).Assembly, "queue.lua");
    private static readonly RedisScript SettleScript = RedisScript.Embedded(typeof(DeliveryStore).Assembly, "settle.lua");

    /// <summary>Queues what a courier found in the log and moves the webhook's cursor behind it; false when another owns the webhook.</summary>
    public Task<bool> QueueAsync(WebhookState seen, long cursor, IReadOnlyList<QueuedDelivery> deliveries) =>
        QueueAsync(seen.Record, seen.Owner, Number(seen.Cursor), Number(cursor), deliveries);

    /// <summary>Queues a delivery that was asked for; false when its webhook is gone.</summary>
    public Task<bool> QueueAsync(WebhookRecord webhook, QueuedDelivery delivery) => QueueAsync(webhook, "", "", "", [delivery]);

    /// <summary>Subjects and when they are due, soonest first.</summary>
    public async Task<IReadOnlyList<(string Subject, DateTimeOffset At)>> DueAsync(WebhookRecord webhook, int count) =>
        [.. (await redis.RunAsync(database => database.SortedSetRangeByRankWithScoresAsync(Due(webhook), 0, count - 1)))
            .Select(entry => (entry.Element.ToString(), DateTimeOffset.FromUnixTimeMilliseconds((long)entry.Score)))];

    /// <summary>The id of a subject's first delivery; null when there is none.</summary>
    public async Task<string?> FirstAsync(WebhookRecord webhook, string subject) =>
        await redis.RunAsync(database => database.ListGetByIndexAsync(Queue(webhook, subject), 0));

    /// <summary>A delivery; null when it is kept no longer.</summary>
    public Task<Delivery?> FindAsync(string organization, string id) => redis.RunAsync(async database =>
    {
        var fields = (await database.HashGetAllAsync(Key(organization, id))).ToDictionary(f => f.Name.ToString(), f => f.Value, StringComparer.Ordinal);
        return fields.ContainsKey("body") ? Parse(id, fields) : null;
    });

    /// <summary>Ids of a webhook's deliveries, newest first; null when there is none to go on after.</summary>
    public Task<IReadOnlyList<string>?> ListAsync(WebhookRecord webhook, string after, int count) => redis.RunAsync<IReadOnlyList<string>?>(async database =>
    {
        long? rank = after.Length == 0 ? -1 : await database.SortedSetRankAsync(Index(webhook), after, Order.Descending);
        return rank is { } last
            ? [.. (await database.SortedSetRangeByRankAsync(Index(webhook), last + 1, last + count, Order.Descending)).Select(id => id.ToString())]
            : null;
    });

    /// <summary>
    /// Writes what came of an attempt, and when there is to be another. Answers since when every attempt at the webhook has failed, if it has;
    /// nothing is written when another owns the webhook.
    /// </summary>
    public async Task<DateTimeOffset?> SettleAsync(WebhookState seen, string subject, Delivery delivery, Attempt attempt, DeliveryState state, DateTimeOffset? nextAt)
    {
        var webhook = seen.Record;
        var failing = (long)await SettleScript.RunAsync(
            redis, [Key(webhook), Key(webhook.Organization, delivery.Id), Due(webhook), Queue(webhook, subject)],
            seen.Owner, delivery.Id, subject, Name(state), nextAt?.ToUnixTimeMilliseconds() ?? 0, JsonSerializer.Serialize(attempt, WebhookJson.Default.Attempt),
            (long)options.Value.DeliveriesKept.TotalMilliseconds, clock.GetUtcNow().ToUnixTimeMilliseconds(), attempt.Error is null ? 0 : 1);
        return failing == 0 ? null : DateTimeOffset.FromUnixTimeMilliseconds(failing);
    }

    /// <summary>Takes a subject's first delivery out of its queue, because it is kept no longer.</summary>
    public Task SkipAsync(WebhookRecord webhook, string subject, string? id) => redis.RunAsync(async database =>
    {
        if (id is not null && await database.ListRemoveAsync(Queue(webhook, subject), id) > 0)
        {
            await database.HashDecrementAsync(Key(webhook), "waiting");
        }

        if (await database.ListLengthAsync(Queue(webhook, subject)) == 0)
        {
            await database.SortedSetRemoveAsync(Due(webhook), subject);
        }

        return true;
    });

    /// <summary>Writes down a delivery that was never queued and is over.</summary>
    public Task AddAsync(WebhookRecord webhook, Delivery delivery, Attempt attempt) => redis.RunAsync(async database =>
    {
        var key = Key(webhook.Organization, delivery.Id);
        await database.HashSetAsync(key,
        [
            new("webhook", webhook.Id), new("event", delivery.EventId), new("type", delivery.EventType), new("sandbox", delivery.SandboxId), new("body", delivery.Body),
            new("created", delivery.CreatedAt.ToUnixTimeMilliseconds()), new("state", Name(attempt.Error is null ? DeliveryState.Delivered : DeliveryState.Failed)),
            new("attempts", 1), new("attempt:1", JsonSerializer.Serialize(attempt, WebhookJson.Default.Attempt)),
        ]);
        await database.KeyExpireAsync(key, options.Value.DeliveriesKept);
        return await database.SortedSetAddAsync(Index(webhook), delivery.Id, delivery.CreatedAt.ToUnixTimeMilliseconds());
    });

    private async Task<bool> QueueAsync(WebhookRecord webhook, string owner, string seen, string cursor, IReadOnlyList<QueuedDelivery> deliveries)
    {
        var now = clock.GetUtcNow();
        RedisValue[] arguments =
        [
            owner, seen, cursor, now.ToUnixTimeMilliseconds(), (now - options.Value.DeliveriesKept).ToUnixTimeMilliseconds(), (long)Abandoned.TotalMilliseconds,
            webhook.Id, Key(webhook.Organization, "").ToString(),
            .. deliveries.SelectMany(queued => new RedisValue[]
            {
                queued.Delivery.Id, queued.Subject, queued.Delivery.EventId, queued.Delivery.EventType, queued.Delivery.SandboxId, queued.Delivery.Body,
            }),
        ];
        return (int)await QueueScript.RunAsync(redis, [Key(webhook), Due(webhook), Index(webhook)], arguments) == 1;
    }

    private static Delivery Parse(string id, Dictionary<string, RedisValue> fields)
    {
        var attempts = Enumerable.Range(1, (int)fields.GetValueOrDefault("attempts"))
            .Select(number => JsonSerializer.Deserialize((byte[])fields[$"attempt:{number}"]!, WebhookJson.Default.Attempt)!);
        var state = Enum.Parse<DeliveryState>(fields["state"].ToString(), ignoreCase: true);
        return new Delivery
        {
            Id = id,
            WebhookId = fields["webhook"]!,
            EventId = fields["event"]!,
            EventType = fields["type"]!,
            SandboxId = fields["sandbox"]!,
            Body = (byte[])fields["body"]!,
            State = state,
            CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds((long)fields["created"]),
            NextAt = state == DeliveryState.Pending ? DateTimeOffset.FromUnixTimeMilliseconds((long)fields["next"]) : null,
            Attempts = [.. attempts],
        };
    }

    private static string Name(DeliveryState state) => state.ToString().ToLowerInvariant();

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static RedisKey Key(WebhookRecord webhook) => WebhookStore.Key(webhook.Organization, webhook.Id);

    private static RedisKey Key(string organization, string deliveryId) => $"{{{organization}}}:delivery:{deliveryId}";

    private static RedisKey Due(WebhookRecord webhook) => Key(webhook).Append(":due");

    private static RedisKey Index(WebhookRecord webhook) => Key(webhook).Append(":deliveries");

    private static RedisKey Queue(WebhookRecord webhook, string subject) => Key(webhook).Append(":queue:" + subject);
}
