using System.Text.Json;
using System.Text.Json.Serialization;
using Corral.Sessions.Records;

namespace Corral.Sessions.Events;

/// <summary>What an event tells of the thing that it happened to, as it is stored and as webhooks get it: the boxes dialect's names and times.</summary>
internal sealed record EventFacts
{
    public required string Id { get; init; }

    public string? Status { get; init; }

    public string? Runtime { get; init; }

    public string? Size { get; init; }

    public string? Region { get; init; }

    public long? CreatedAt { get; init; }

    public long? StartedAt { get; init; }

    public long? EndedAt { get; init; }

    public long? Duration { get; init; }

    public string? EndReason { get; init; }

    public string? FailureReason { get; init; }

    public string? Url { get; init; }

    public static EventFacts Of(SandboxRecord record) => new()
    {
        Id = record.Id,
        Status = record.State.ToString().ToLowerInvariant(),
        Runtime = record.Runtime,
        Size = record.Size,
        Region = record.Region.Length > 0 ? record.Region : record.AskedRegion.Length > 0 ? record.AskedRegion : null,
        CreatedAt = record.CreatedAt.ToUnixTimeMilliseconds(),
        StartedAt = record.StartedAt?.ToUnixTimeMilliseconds(),
        EndedAt = record.EndedAt?.ToUnixTimeMilliseconds(),
        Duration = record is { StartedAt: { } started, EndedAt: { } ended } ? (long)(ended - started).TotalMilliseconds : null,
        EndReason = record.EndReason,
        FailureReason = record.FailureReason,
    };

    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, EventJson.Default.EventFacts);

    public static EventFacts Parse(byte[] json) =>
        JsonSerializer.Deserialize(json, EventJson.Default.EventFacts) ?? throw new InvalidOperationException("An event is empty.");
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(EventFacts))]
[JsonSerializable(typeof(EventDraft))]
internal sealed partial class EventJson : JsonSerializerContext;
