using Corral.Api.V1;
using Corral.Sessions.Events;
using Google.Protobuf.WellKnownTypes;

namespace Corral.Sessions.Grpc;

/// <summary>Events as their organisation sees them.</summary>
internal static class EventMessages
{
    public static Event ToEvent(this StoredEvent stored)
    {
        var message = new Event
        {
            EventId = stored.Id,
            Sequence = stored.Sequence,
            Type = stored.Type,
            CreatedAt = stored.At.ToTimestamp(),
            Data = ToData(EventFacts.Parse(stored.Data)),
        };
        if (stored.SandboxId.Length > 0)
        {
            message.SandboxId = stored.SandboxId;
        }

        return message;
    }

    private static EventData ToData(EventFacts facts)
    {
        var data = new EventData
        {
            Id = facts.Id,
            CreatedAt = Time(facts.CreatedAt),
            StartedAt = Time(facts.StartedAt),
            EndedAt = Time(facts.EndedAt),
        };
        if (System.Enum.TryParse<SandboxState>(facts.Status, ignoreCase: true, out var state)) data.Status = state;
        if (facts.Runtime is { } runtime) data.Runtime = runtime;
        if (facts.Size is { } size) data.Size = size;
        if (facts.Region is { } region) data.Region = region;
        if (facts.Duration is { } duration) data.DurationMs = duration;
        if (facts.EndReason is { } endReason) data.EndReason = endReason;
        if (facts.FailureReason is { } failureReason) data.FailureReason = failureReason;
        if (facts.Url is { } url) data.Url = url;
        return data;
    }

    private static Timestamp? Time(long? milliseconds) =>
        milliseconds is { } at ? DateTimeOffset.FromUnixTimeMilliseconds(at).ToTimestamp() : null;
}
