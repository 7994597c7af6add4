using System.Text;

namespace Corral.Egress.Tests.Lab;

/// <summary>First bytes of TLS connections, written by hand.</summary>
internal static class Hellos
{
    /// <summary>A fatal alert, access_denied, as it is read.</summary>
    public const string AccessDenied = "\u0015\u0003\u0003\u0000\u0002\u0002\u0031";

    /// <summary>A ClientHello (TLS 1.2, two suites) that real servers answer, for a server name or for none.</summary>
    public static byte[] ClientHello(string? serverName, int recordSize = 16_000)
    {
        using var extensions = new MemoryStream();
        if (serverName is not null)
        {
            var name = Encoding.Latin1.GetBytes(serverName);
            extensions.Write([0, 0, .. Length16(name.Length + 5), .. Length16(name.Length + 3), 0, .. Length16(name.Length)]);
            extensions.Write(name);
        }

        extensions.Write([0, 10, 0, 4, 0, 2, 0, 23, 0, 11, 0, 2, 1, 0, 0, 13, 0, 6, 0, 4, 4, 3, 5, 3, 0xff, 1, 0, 1, 0]);
        byte[] body = [3, 3, .. new byte[32], 0, 0, 4, 0xC0, 0x2B, 0xC0, 0x2C, 1, 0, .. Length16((int)extensions.Length), .. extensions.ToArray()];
        return Records([1, 0, .. Length16(body.Length), .. body], recordSize);
    }

    public static byte[] Records(byte[] message, int size)
    {
        using var records = new MemoryStream();
        for (var at = 0; at < message.Length; at += size)
        {
            var length = Math.Min(size, message.Length - at);
            records.Write([22, 3, 1, .. Length16(length)]);
            records.Write(message, at, length);
        }

        return records.ToArray();
    }

    private static byte[] Length16(int length) => [(byte)(length >> 8), (byte)length];
}
