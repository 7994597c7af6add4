using System.Text.Json.Serialization;

namespace Corral.Sessions.Webhooks;

/// <summary>A webhook, as Redis holds it. Immutable: a change is a new record, written by compare and set.</summary>
internal sealed record WebhookRecord
{
    /// <summary>Stands for all types of events.</summary>
    public const string AllTypes = "*";

    public required string Id { get; init; }

    public required string Organization { get; init; }

    public required string Url { get; init; }

    public string Description { get; init; } = "";

    public required IReadOnlyList<string> EventTypes { get; init; }

    public bool Enabled { get; init; } = true;

    /// <summary>The signing secret, sealed.</summary>
    public required byte[] SealedSecret { get; init; }

    /// <summary>The one before it, sealed, which deliveries are signed with, too, for a while.</summary>
    public byte[]? SealedOldSecret { get; init; }

    public DateTimeOffset? OldSecretUntil { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset UpdatedAt { get; init; }

    /// <summary>Why it disabled itself.</summary>
    public string? DisabledReason { get; init; }

    public bool Wants(string eventType) => EventTypes.Contains(AllTypes) || EventTypes.Contains(eventType);
}

/// <summary>A webhook, and how far it is.</summary>
/// <param name="Record">What it is.</param>
/// <param name="Version">The version that a change must name.</param>
/// <param name="Owner">The courier that carries its deliveries.</param>
/// <param name="Cursor">The last event that was looked at for it.</param>
/// <param name="Waiting">Deliveries that are not over.</param>
/// <param name="FailingSince">Since when every attempt has failed.</param>
internal sealed record WebhookState(WebhookRecord Record, long Version, string Owner, long Cursor, long Waiting, DateTimeOffset? FailingSince);

// Metadata only: the generated fast path writes bytes that are null as an empty string.
[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata)]
[JsonSerializable(typeof(WebhookRecord))]
[JsonSerializable(typeof(Attempt))]
internal sealed partial class WebhookJson : JsonSerializerContext;
