using Corral.Api.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Corral.Gateway.Tests;

/// <summary>Sessions' events, as the gateway asks for them: two, and a gap before the second.</summary>
internal sealed class FakeEvents : EventService.EventServiceBase
{
    /// <summary>After which event the last watcher wanted to go on; null when it did not say.</summary>
    public long? WatchedAfter { get; private set; }

    public override Task<ListEventsResponse> ListEvents(ListEventsRequest request, ServerCallContext context) =>
        Task.FromResult(new ListEventsResponse { Items = { Ready(request.After + 1), Disabled(request.After + 2) }, NextAfter = request.After + 2, Missed = 3 });

    public override async Task WatchEvents(WatchEventsRequest request, IServerStreamWriter<WatchEventsResponse> responseStream, ServerCallContext context)
    {
        WatchedAfter = request.HasAfter ? request.After : null;
        await responseStream.WriteAsync(new WatchEventsResponse { Event = Ready(8) });
        await responseStream.WriteAsync(new WatchEventsResponse { Gap = new EventGap { Sequence = 10, Missed = 2 } });
        await responseStream.WriteAsync(new WatchEventsResponse { Event = Disabled(11) });
    }

    private static Event Ready(long sequence) => new()
    {
        EventId = "evt-a",
        Sequence = sequence,
        Type = "sandbox.ready",
        SandboxId = "sbx-a",
        CreatedAt = Time(1_772_078_705_353),
        Data = new EventData
        {
            Id = "sbx-a",
            Status = SandboxState.Ready,
            Runtime = "bun",
            Size = "standard",
            Region = "iad",
            CreatedAt = Time(1_772_078_700_000),
            StartedAt = Time(1_772_078_705_353),
        },
    };

    private static Event Disabled(long sequence) => new()
    {
        EventId = "evt-b",
        Sequence = sequence,
        Type = "webhook.disabled",
        CreatedAt = Time(1_772_078_705_354),
        Data = new EventData { Id = "wh-a", Url = "https://example.com/", FailureReason = "Gone." },
    };

    private static Timestamp Time(long milliseconds) => DateTimeOffset.FromUnixTimeMilliseconds(milliseconds).ToTimestamp();
}
