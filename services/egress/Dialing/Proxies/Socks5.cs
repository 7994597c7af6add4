using System.Buffers.Binary;
using System.Net;
using System.Text;
using Corral.Egress.Flows;
using Corral.Egress.Policies;

namespace Corral.Egress.Dialing.Proxies;

/// <summary>SOCKS, version 5 (RFC 1928), with user and password (RFC 1929). Names are left to the proxy to resolve.</summary>
internal static class Socks5
{
    private const byte Version = 5;
    private const byte NoAuthentication = 0;
    private const byte UserAndPassword = 2;
    private const byte Connect = 1;
    private const byte Address4 = 1;
    private const byte Name = 3;
    private const byte Address6 = 4;

    /// <summary>Asks a proxy for a tunnel; answers why it gives none, or null: then the stream is the tunnel, and nothing of it has been read.</summary>
    public static async Task<string?> AskAsync(Stream stream, UpstreamProxy proxy, DialTarget target, CancellationToken cancellationToken)
    {
        if (await AuthenticateAsync(stream, proxy, cancellationToken) is { } refusal)
        {
            return refusal;
        }

        await stream.WriteAsync(Request(target), cancellationToken);
        var reply = await ReadAsync(stream, 4, cancellationToken);
        if (reply[0] != Version)
        {
            return Refusals.ProxyFailed;
        }

        if (reply[1] != 0)
        {
            return Refusals.ProxyRefused;
        }

        // Where it dials from is of no interest, but stands before the tunnel's first byte.
        var addressLength = reply[3] switch
        {
            Address4 => 4,
            Address6 => 16,
            Name => (await ReadAsync(stream, 1, cancellationToken))[0],
            _ => -1,
        };
        if (addressLength < 0)
        {
            return Refusals.ProxyFailed;
        }

        await ReadAsync(stream, addressLength + 2, cancellationToken);
        return null;
    }

    private static async Task<string?> AuthenticateAsync(Stream stream, UpstreamProxy proxy, CancellationToken cancellationToken)
    {
        var (user, password) = (Encoding.UTF8.GetBytes(proxy.User), Encoding.UTF8.GetBytes(proxy.Password));
        var named = user.Length is > 0 and <= byte.MaxValue && password.Length <= byte.MaxValue;
        await stream.WriteAsync(named ? (byte[])[Version, 2, NoAuthentication, UserAndPassword] : [Version, 1, NoAuthentication], cancellationToken);
        switch (await ReadAsync(stream, 2, cancellationToken))
        {
            case [Version, NoAuthentication]:
                return null;
            case [Version, UserAndPassword] when named:
                await stream.WriteAsync((byte[])[1, (byte)user.Length, .. user, (byte)password.Length, .. password], cancellationToken);
                return await ReadAsync(stream, 2, cancellationToken) is [_, 0] ? null : Refusals.ProxyAuthentication;
            case [Version, _]:
                return Refusals.ProxyAuthentication;
            default:
                return Refusals.ProxyFailed;
        }
    }

    private static byte[] Request(DialTarget target)
    {
        var destination = target.Name is { } name
            ? [Name, (byte)name.Length, .. Encoding.ASCII.GetBytes(name)]
            : target.Address!.GetAddressBytes() is { Length: 4 } bytes ? [Address4, .. bytes] : (byte[])[Address6, .. target.Address.GetAddressBytes()];
        byte[] request = [Version, Connect, 0, .. destination, 0, 0];
        BinaryPrimitives.WriteUInt16BigEndian(request.AsSpan(request.Length - 2), (ushort)target.Port);
        return request;
    }

    private static async Task<byte[]> ReadAsync(Stream stream, int length, CancellationToken cancellationToken)
    {
        var bytes = new byte[length];
        await stream.ReadExactlyAsync(bytes, cancellationToken);
        return bytes;
    }
}
