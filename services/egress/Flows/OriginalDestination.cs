using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Corral.Egress.Flows;

/// <summary>Where a connection was going before the gate's rules sent it here.</summary>
internal static class OriginalDestination
{
    private const int SolIp = 0, SoOriginalDst = 80, SockAddrLength = 16;

    public static IPEndPoint Of(Socket accepted)
    {
        Span<byte> address = stackalloc byte[SockAddrLength];
        accepted.GetRawSocketOption(SolIp, SoOriginalDst, address);
        return new IPEndPoint(new IPAddress(address.Slice(4, 4)), BinaryPrimitives.ReadUInt16BigEndian(address[2..]));
    }
}
