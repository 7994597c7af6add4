using System.Buffers.Binary;
using System.Text;

namespace Corral.Egress.Dns;

/// <summary>A question, read from a message that anybody may have written.</summary>
/// <param name="Id">What the answer must repeat.</param>
/// <param name="Name">The name as it was written; anything may stand in it.</param>
/// <param name="Type">The record type.</param>
/// <param name="Class">The class.</param>
/// <param name="RecursionDesired">What the answer must repeat, too.</param>
/// <param name="HasExtension">Whether it came with an OPT record, so that the answer may have one.</param>
/// <param name="Length">Where the question ends in the message.</param>
internal readonly record struct DnsQuestion(ushort Id, string Name, ushort Type, ushort Class, bool RecursionDesired, bool HasExtension, int Length)
{
    public const int HeaderLength = 12;

    private const int MaxName = 255, MaxLabel = 63;
    private const ushort ResponseFlag = 0x8000, OpcodeMask = 0x7800, RecursionFlag = 0x0100;

    /// <summary>Reads a query of exactly one question. A question has no reason to compress its name, so a pointer in it is refused.</summary>
    public static bool TryRead(ReadOnlySpan<byte> message, out DnsQuestion question)
    {
        question = default;
        if (message.Length < HeaderLength) return false;
        var flags = BinaryPrimitives.ReadUInt16BigEndian(message[2..]);
        if ((flags & (ResponseFlag | OpcodeMask)) != 0 || CountAt(message, 4) != 1 || CountAt(message, 6) != 0 || CountAt(message, 8) != 0) return false;
        if (!TryReadName(message, HeaderLength, out var name, out var end) || message.Length < end + 4) return false;
        question = new DnsQuestion(
            BinaryPrimitives.ReadUInt16BigEndian(message), name,
            BinaryPrimitives.ReadUInt16BigEndian(message[end..]), BinaryPrimitives.ReadUInt16BigEndian(message[(end + 2)..]),
            (flags & RecursionFlag) != 0, HasOpt(message, end + 4), end + 4);
        return true;
    }

    /// <summary>Writes a question for a name that is normalised.</summary>
    public static byte[] Write(ushort id, string name, ushort type)
    {
        var message = new byte[HeaderLength + name.Length + 2 + 4];
        var span = message.AsSpan();
        BinaryPrimitives.WriteUInt16BigEndian(span, id);
        BinaryPrimitives.WriteUInt16BigEndian(span[2..], RecursionFlag);
        BinaryPrimitives.WriteUInt16BigEndian(span[4..], 1);
        var at = HeaderLength;
        foreach (var label in name.AsSpan().Split('.'))
        {
            var text = name.AsSpan(label);
            span[at++] = (byte)text.Length;
            at += Encoding.ASCII.GetBytes(text, span[at..]);
        }

        BinaryPrimitives.WriteUInt16BigEndian(span[(at + 1)..], type);
        BinaryPrimitives.WriteUInt16BigEndian(span[(at + 3)..], DnsType.In);
        return message;
    }

    private static int CountAt(ReadOnlySpan<byte> message, int offset) => BinaryPrimitives.ReadUInt16BigEndian(message[offset..]);

    private static bool TryReadName(ReadOnlySpan<byte> message, int at, out string name, out int end)
    {
        (name, end) = ("", 0);
        var begin = at;
        var text = new StringBuilder(64);
        while (at < message.Length)
        {
            var length = message[at++];
            if (length == 0)
            {
                (name, end) = (text.ToString(), at);
                return true;
            }

            if (length > MaxLabel || at + length > message.Length || at + length - begin >= MaxName) return false;
            if (text.Length > 0) text.Append('.');
            // A dot inside a label would look like the end of one.
            foreach (var b in message.Slice(at, length)) text.Append(b == '.' ? '\0' : (char)b);
            at += length;
        }

        return false;
    }

    // The OPT record, if any, is the first of the additional ones in every client there is.
    private static bool HasOpt(ReadOnlySpan<byte> message, int at) =>
        CountAt(message, 10) > 0 && message.Length >= at + 11 && message[at] == 0 && CountAt(message, at + 1) == DnsType.Opt;
}
