using System.Buffers.Binary;

namespace Corral.Egress.Dns;

/// <summary>DNS messages over TCP: a length of two bytes before each (RFC 1035, 4.2.2).</summary>
internal static class DnsFraming
{
    private const int PrefixLength = 2;

    /// <summary>The next message, or null at the end.</summary>
    public static async Task<byte[]?> ReadAsync(Stream stream, CancellationToken cancellationToken)
    {
        var prefix = new byte[PrefixLength];
        if (await stream.ReadAtLeastAsync(prefix, PrefixLength, throwOnEndOfStream: false, cancellationToken) < PrefixLength) return null;
        var message = new byte[BinaryPrimitives.ReadUInt16BigEndian(prefix)];
        return await stream.ReadAtLeastAsync(message, message.Length, throwOnEndOfStream: false, cancellationToken) == message.Length ? message : null;
    }

    public static async Task WriteAsync(Stream stream, byte[] message, CancellationToken cancellationToken)
    {
        var framed = new byte[PrefixLength + message.Length];
        BinaryPrimitives.WriteUInt16BigEndian(framed, (ushort)message.Length);
        message.CopyTo(framed, PrefixLength);
        await stream.WriteAsync(framed, cancellationToken);
    }
}
