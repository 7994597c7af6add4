using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Corral.Addresses;
using Microsoft.Extensions.Options;

namespace Corral.Sessions.Webhooks;

/// <summary>Finds the addresses of a name.</summary>
internal delegate Task<IPAddress[]> ResolveName(string name, CancellationToken cancellationToken);

/// <summary>Where a URL leads to now.</summary>
/// <param name="Addresses">What may be connected to; none where it is refused.</param>
/// <param name="Error">Why it is refused, one of <see cref="AttemptErrors"/>.</param>
internal readonly record struct Target(IReadOnlyList<IPAddress> Addresses, string? Error);

/// <summary>Decides where deliveries may go: to public addresses, and to those that the operator permits. A host that has any other is refused.</summary>
internal sealed class Targets(ResolveName resolve, IOptions<WebhookOptions> options, TimeProvider clock)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly ImmutableArray<AddressRange> _permitted = [.. options.Value.PermittedRanges.Select(AddressRange.Parse)];

    /// <summary>Looks up a URL's host. What is answered must be what is connected to: the next look may find something else.</summary>
    public async Task<Target> FindAsync(Uri url, CancellationToken cancellationToken)
    {
        var addresses = IPAddress.TryParse(url.DnsSafeHost, out var literal) ? [literal] : await ResolveAsync(url.IdnHost, cancellationToken);
        if (addresses.Length == 0)
        {
            return new Target([], AttemptErrors.NameNotFound);
        }

        return Array.TrueForAll(addresses, IsAllowed) ? new Target(addresses, null) : new Target([], AttemptErrors.AddressRefused);
    }

    private bool IsAllowed(IPAddress address) =>
        PublicAddresses.Contains(address) || PublicAddresses.IsWithin(_permitted, address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address);

    private async Task<IPAddress[]> ResolveAsync(string name, CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(Patience, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            return await resolve(name, either.Token);
        }
        catch (Exception problem) when (problem is SocketException or ArgumentException || (problem is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return [];
        }
    }
}
