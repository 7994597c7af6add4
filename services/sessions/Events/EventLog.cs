using System.Globalization;
using System.Text;
using System.Text.Json;
using Corral.Hosting;
using Corral.Redis;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Corral.Sessions.Events;

/// <summary>An event, as it is kept.</summary>
internal sealed record StoredEvent(long Sequence, string Id, string Type, string SandboxId, DateTimeOffset At, byte[] Data);

/// <summary>Events that follow one another.</summary>
/// <param name="Events">Oldest first.</param>
/// <param name="Next">After which to go on.</param>
/// <param name="Missed">How many before these are kept no longer.</param>
internal sealed record EventPage(IReadOnlyList<StoredEvent> Events, long Next, long Missed);

/// <summary>What happened to an organisation's sandboxes: a stream whose entries are numbered from 1 without gaps.</summary>
internal sealed class EventLog(RedisConnection redis, IOptions<EventOptions> options, TimeProvider clock)
{
    /// <summary>The resource with the function <c>append_event</c>, to go before a script that appends.</summary>
    public const string Function = "event.lua";

    private static readonly RedisScript AppendScript = RedisScript.Embedded(typeof(EventLog).Assembly, Function, "append.lua");

    /// <summary>The log's key, for a script that appends.</summary>
    public static RedisKey Key(string organization) => "{" + organization + "}:event-log";

    /// <summary>What such a script is given to append an event: made now, so that a script that is run again appends the same one.</summary>
    public string Draft(string organization, string type, string sandboxId, EventFacts facts)
    {
        var now = clock.GetUtcNow();
        var draft = new EventDraft(
            Ids.New("evt-"), organization, type, sandboxId, Number(now.ToUnixTimeMilliseconds()), Encoding.UTF8.GetString(facts.ToJson()),
            Number((now - options.Value.Kept).ToUnixTimeMilliseconds()), Number((long)options.Value.Kept.TotalMilliseconds), Number(options.Value.MostKept));
        return JsonSerializer.Serialize(draft, EventJson.Default.EventDraft);
    }

    /// <summary>Appends an event that belongs to no other write.</summary>
    public Task AppendAsync(string organization, string type, string sandboxId, EventFacts facts) =>
        AppendScript.RunAsync(redis, [Key(organization)], Draft(organization, type, sandboxId, facts));

    /// <summary>The number of the newest event; 0 when there was none.</summary>
    public async Task<long> LastAsync(string organization) => (long)await redis.RunAsync(database => database.StringGetAsync(LastKey(organization)));

    /// <summary>Events after a number.</summary>
    public async Task<EventPage> ReadAsync(string organization, long after, int limit)
    {
        // In this order: what the stream then lacks, up to the newest, is gone.
        var last = await LastAsync(organization);
        var entries = await redis.RunAsync(database => database.StreamRangeAsync(Key(organization), EntryId(after + 1), "+", limit));
        var events = entries.Select(Parse).ToList();
        return events is [var first, ..]
            ? new EventPage(events, events[^1].Sequence, first.Sequence - 1 - after)
            : new EventPage([], Math.Max(after, last), Math.Max(0, last - after));
    }

    /// <summary>Events of one sandbox after a number.</summary>
    public async Task<EventPage> ReadAsync(string organization, string sandboxId, long after, int limit)
    {
        var last = await LastAsync(organization);
        var numbers = await redis.RunAsync(database =>
            database.SortedSetRangeByScoreAsync(Key(organization).Append(":" + sandboxId), after, exclude: Exclude.Start, take: limit));
        var found = await redis.RunAsync(database => Task.WhenAll(numbers.Select(number =>
            database.StreamRangeAsync(Key(organization), EntryId((long)number), EntryId((long)number)))));
        var events = found.SelectMany(entries => entries).Select(Parse).ToList();
        var next = numbers.Length == limit ? (long)numbers[^1] : Math.Max(Math.Max(after, last), numbers.Length > 0 ? (long)numbers[^1] : 0);
        return new EventPage(events, next, numbers.Length - events.Count);
    }

    private static RedisKey LastKey(string organization) => Key(organization).Append(":last");

    private static RedisValue EntryId(long number) => Number(number) + "-0";

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static StoredEvent Parse(StreamEntry entry) => new(
        long.Parse(((string)entry.Id!).Split('-')[0], CultureInfo.InvariantCulture),
        entry["id"]!, entry["type"]!, entry["sandbox"]!, DateTimeOffset.FromUnixTimeMilliseconds((long)entry["at"]), (byte[])entry["data"]!);
}
