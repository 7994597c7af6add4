using System.Net;

namespace Corral.Egress.Dns;

/// <summary>What became of a name.</summary>
/// <param name="Outcome">That.</param>
/// <param name="Addresses">Its addresses.</param>
/// <param name="TimeToLive">How long that holds.</param>
internal sealed record Resolution(ResolutionOutcome Outcome, IReadOnlyList<IPAddress> Addresses, TimeSpan TimeToLive);

/// <summary>What can become of a name.</summary>
internal enum ResolutionOutcome
{
    Found,

    /// <summary>There is no such name, or it has no address.</summary>
    NotFound,

    /// <summary>No resolver answered.</summary>
    Failed,
}
