using System.Text.Json.Serialization;

namespace Corral.Sessions.Records;

/// <summary>What a record means for its organisation's plan, as the script that writes it is told.</summary>
internal sealed record Account
{
    public bool Counts { get; init; }

    public bool Waits { get; init; }

    /// <summary>Since when its time is metered, in ms; null while it is not.</summary>
    public long? RunsFrom { get; init; }

    public long? EndedAt { get; init; }

    public IReadOnlyList<MeteredPart> Metered { get; init; } = [];

    /// <summary>The time, where room is asked for; the rest of the limits goes with it.</summary>
    public long? Now { get; init; }

    public long? MonthStart { get; init; }

    public int? Concurrency { get; init; }

    /// <summary>In ms.</summary>
    public long? Hours { get; init; }

    public int? MostWaiting { get; init; }
}

/// <summary>Time of one day.</summary>
/// <param name="Key">Which of the usage keys, from 1.</param>
/// <param name="Day">Its field there.</param>
/// <param name="Ms">How much.</param>
internal sealed record MeteredPart(int Key, string Day, long Ms);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(Account))]
internal sealed partial class AccountJson : JsonSerializerContext;
