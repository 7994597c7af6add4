using System.Buffers.Binary;
using System.Net;

namespace Corral.Egress.Dns;

/// <summary>What a resolver answered, as far as it is wanted: addresses, and how long they hold.</summary>
/// <param name="Code">The response code.</param>
/// <param name="IsTruncated">Whether the whole has to be fetched over TCP.</param>
/// <param name="Addresses">The addresses of the type that was asked for.</param>
/// <param name="TimeToLive">The shortest time that any record of the answer holds, in seconds.</param>
internal sealed record DnsReply(DnsCode Code, bool IsTruncated, IReadOnlyList<IPAddress> Addresses, uint TimeToLive)
{
    private const int MostAddresses = 32, MostRecords = 128;
    private const byte PointerMask = 0xC0;
    private const uint NoAddressTime = 5;

    /// <summary>Reads the reply to a question that <see cref="DnsQuestion.Write"/> wrote; null when it is no reply to that.</summary>
    /// <remarks>Names are skipped and never followed, so that no pointer can lead anywhere. Whose address a record is, the resolver has checked.</remarks>
    public static DnsReply? Read(ReadOnlySpan<byte> message, ReadOnlySpan<byte> question, ushort type)
    {
        if (message.Length < question.Length || !message[..2].SequenceEqual(question[..2]) || (message[2] & 0x80) == 0) return null;
        if (BinaryPrimitives.ReadUInt16BigEndian(message[4..]) != 1 || !IsSameQuestion(message, question)) return null;
        var code = (DnsCode)(message[3] & 0x0f);
        var truncated = (message[2] & 0x02) != 0;
        var addresses = new List<IPAddress>();
        var time = ReadRecords(message, question.Length, type, addresses);
        return time is null && !truncated ? null : new DnsReply(code, truncated, addresses, time ?? 0);
    }

    // Case does not matter in names.
    private static bool IsSameQuestion(ReadOnlySpan<byte> message, ReadOnlySpan<byte> question)
    {
        for (var i = DnsQuestion.HeaderLength; i < question.Length; i++)
        {
            if (message[i] != question[i] && !(char.IsAsciiLetter((char)question[i]) && (message[i] | 0x20) == (question[i] | 0x20))) return false;
        }

        return true;
    }

    private static uint? ReadRecords(ReadOnlySpan<byte> message, int at, ushort type, List<IPAddress> addresses)
    {
        var count = Math.Min(MostRecords, (int)BinaryPrimitives.ReadUInt16BigEndian(message[6..]));
        var time = uint.MaxValue;
        for (var i = 0; i < count; i++)
        {
            if (!TrySkipName(message, ref at) || message.Length < at + 10) return null;
            var kind = BinaryPrimitives.ReadUInt16BigEndian(message[at..]);
            var length = BinaryPrimitives.ReadUInt16BigEndian(message[(at + 8)..]);
            if (message.Length < at + 10 + length) return null;
            if (kind == type || kind == DnsType.Cname) time = Math.Min(time, BinaryPrimitives.ReadUInt32BigEndian(message[(at + 4)..]));
            if (kind == type && length == (type == DnsType.A ? 4 : 16) && addresses.Count < MostAddresses)
                addresses.Add(new IPAddress(message.Slice(at + 10, length)));
            at += 10 + length;
        }

        return addresses.Count == 0 ? NoAddressTime : time;
    }

    private static bool TrySkipName(ReadOnlySpan<byte> message, ref int at)
    {
        while (at < message.Length)
        {
            var length = message[at];
            if ((length & PointerMask) == PointerMask)
            {
                at += 2;
                return at <= message.Length;
            }

            if ((length & PointerMask) != 0) return false;
            at += 1 + length;
            if (length == 0) return true;
        }

        return false;
    }
}
