namespace Corral.Sessions.Webhooks;

/// <summary>How far a delivery is.</summary>
internal enum DeliveryState
{
    Pending,
    Delivered,
    Failed,
}

/// <summary>An event on its way to a webhook.</summary>
internal sealed record Delivery
{
    public required string Id { get; init; }

    public required string WebhookId { get; init; }

    public required string EventId { get; init; }

    public required string EventType { get; init; }

    /// <summary>Empty for an event of no sandbox.</summary>
    public required string SandboxId { get; init; }

    /// <summary>What is sent.</summary>
    public required byte[] Body { get; init; }

    public DeliveryState State { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset? NextAt { get; init; }

    public IReadOnlyList<Attempt> Attempts { get; init; } = [];
}

/// <summary>A delivery to be queued.</summary>
/// <param name="Subject">What it must stay in order with.</param>
/// <param name="Delivery">The delivery.</param>
internal readonly record struct QueuedDelivery(string Subject, Delivery Delivery);
