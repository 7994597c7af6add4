using System.Collections.Immutable;
using System.Net;
using Corral.Addresses;
using Corral.Egress.Policies;

namespace Corral.Egress.Dialing;

/// <summary>Which addresses may be dialled at all, whatever names lead to them.</summary>
internal sealed class DestinationPolicy(EgressOptions options)
{
    private readonly ImmutableArray<AddressRange> _permitted = [.. options.PermittedRanges.Select(AddressRange.Parse)];

    /// <summary>Whether a sandbox may be connected to an address. What is not public needs the policy's entry and the operator's permission.</summary>
    public bool Allows(IPAddress address, EgressPolicy policy)
    {
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        return PublicAddresses.Contains(address) || (policy.MatchRange(address) is not null && PublicAddresses.IsWithin(_permitted, address));
    }
}
