using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;

namespace Corral.Addresses;

/// <summary>The addresses that anybody may be connected to: not private, local or reserved, and not this host's own.</summary>
public static class PublicAddresses
{
    // IANA's special-purpose registries, as far as they are not public; what embeds an IPv4 address in an IPv6 one is left out as a whole.
    private static readonly ImmutableArray<AddressRange> Special =
    [
        .. new[]
        {
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.88.99.0/24",
            "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4",
            // Azure's own service for its machines: no registry has it, and nobody else reaches it.
            "168.63.129.16/32",
            "::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2002::/16", "5f00::/16", "fc00::/7", "fe80::/10",
            "fec0::/10", "ff00::/8",
        }.Select(AddressRange.Parse),
    ];

    /// <summary>Whether an address is one of them. An IPv4 address in IPv6 clothes is looked at without them.</summary>
    public static bool Contains(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
        {
            address = address.MapToIPv4();
        }

        return !IsWithin(Special, address) && !IsOfThisHost(address);
    }

    /// <summary>Whether one of some ranges holds an address.</summary>
    public static bool IsWithin(ImmutableArray<AddressRange> ranges, IPAddress address)
    {
        foreach (var range in ranges)
        {
            if (range.Contains(address))
            {
                return true;
            }
        }

        return false;
    }

    // The kernel knows at every moment which addresses are the host's: only those can be bound.
    private static bool IsOfThisHost(IPAddress address)
    {
        try
        {
            using var probe = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            probe.Bind(new IPEndPoint(address, 0));
            return true;
        }
        catch (SocketException problem)
        {
            return problem.SocketErrorCode is not (SocketError.AddressNotAvailable or SocketError.AddressFamilyNotSupported);
        }
    }
}
