using System.Diagnostics.Metrics;

namespace Corral.Gateway;

/// <summary>The service's own metrics.</summary>
internal static class GatewayTelemetry
{
    private static readonly Meter Meter = new("Corral.Gateway");

    /// <summary>Calls that were refused for their rate, by bucket.</summary>
    public static readonly Counter<long> RateLimited = Meter.CreateCounter<long>("corral.gateway.rate_limited");

    /// <summary>Requests with an idempotency key, by what was known of them.</summary>
    public static readonly Counter<long> KeyedRequests = Meter.CreateCounter<long>("corral.gateway.keyed_requests");

    /// <summary>Requests that a kept answer could answer, by whether there was one.</summary>
    private static readonly Counter<long> KeptAnswers = Meter.CreateCounter<long>("corral.gateway.kept_answers");
    private static readonly KeyValuePair<string, object?> Found = new("found", true);
    private static readonly KeyValuePair<string, object?> Asked = new("found", false);

    /// <summary>Streams that were ended because their key was no longer good.</summary>
    public static readonly Counter<long> StreamsRevoked = Meter.CreateCounter<long>("corral.gateway.streams_revoked");

    /// <summary>Counts a request that a kept answer could answer.</summary>
    public static void Kept(bool found) => KeptAnswers.Add(1, found ? Found : Asked);
}
