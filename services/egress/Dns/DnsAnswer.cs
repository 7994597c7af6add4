using System.Buffers.Binary;
using System.Net;

namespace Corral.Egress.Dns;

/// <summary>What is answered to a question.</summary>
/// <param name="Code">The response code.</param>
/// <param name="Address">The one address, if any.</param>
/// <param name="TimeToLive">How many seconds it holds.</param>
/// <param name="IsBlocked">Whether the policy is the reason (an extended error says so, RFC 8914).</param>
internal readonly record struct DnsAnswer(DnsCode Code, IPAddress? Address = null, uint TimeToLive = 0, bool IsBlocked = false)
{
    private const int OptLength = 11, ExtendedErrorLength = 6, RecordLength = 16;
    private const ushort ResponseFlags = 0x8080, RecursionFlag = 0x0100, PayloadSize = 1232, ExtendedError = 15, Blocked = 15, PointerToQuestion = 0xC00C;

    /// <summary>No such record, though the name may be there.</summary>
    public static readonly DnsAnswer NoData = new(DnsCode.NoError);

    /// <summary>Writes the answer to a question; <paramref name="query"/> is the message that it was read from.</summary>
    public byte[] Write(in DnsQuestion question, ReadOnlySpan<byte> query)
    {
        var blocked = IsBlocked && question.HasExtension;
        var length = question.Length + (Address is null ? 0 : RecordLength) + (question.HasExtension ? OptLength : 0) + (blocked ? ExtendedErrorLength : 0);
        var message = new byte[length];
        var span = message.AsSpan();
        query[..question.Length].CopyTo(span);
        WriteHeader(span, question);
        var at = question.Length;
        if (Address is not null) at += WriteAddress(span[at..]);
        if (question.HasExtension) WriteOpt(span[at..], blocked);
        return message;
    }

    /// <summary>The answer to what is no question: its id and FORMERR; null when there is not even an id, or when it is itself an answer.</summary>
    public static byte[]? ToMalformed(ReadOnlySpan<byte> query)
    {
        if (query.Length < DnsQuestion.HeaderLength || (query[2] & 0x80) != 0) return null;
        var message = new byte[DnsQuestion.HeaderLength];
        query[..2].CopyTo(message);
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(2), ResponseFlags | (ushort)DnsCode.FormatError);
        return message;
    }

    private void WriteHeader(Span<byte> span, in DnsQuestion question)
    {
        BinaryPrimitives.WriteUInt16BigEndian(span[2..], (ushort)(ResponseFlags | (question.RecursionDesired ? RecursionFlag : 0) | (int)Code));
        BinaryPrimitives.WriteUInt16BigEndian(span[6..], (ushort)(Address is null ? 0 : 1));
        BinaryPrimitives.WriteUInt16BigEndian(span[8..], 0);
        BinaryPrimitives.WriteUInt16BigEndian(span[10..], (ushort)(question.HasExtension ? 1 : 0));
    }

    private int WriteAddress(Span<byte> span)
    {
        BinaryPrimitives.WriteUInt16BigEndian(span, PointerToQuestion);
        BinaryPrimitives.WriteUInt16BigEndian(span[2..], DnsType.A);
        BinaryPrimitives.WriteUInt16BigEndian(span[4..], DnsType.In);
        BinaryPrimitives.WriteUInt32BigEndian(span[6..], TimeToLive);
        BinaryPrimitives.WriteUInt16BigEndian(span[10..], 4);
        Address!.TryWriteBytes(span[12..], out _);
        return RecordLength;
    }

    private static void WriteOpt(Span<byte> span, bool blocked)
    {
        BinaryPrimitives.WriteUInt16BigEndian(span[1..], DnsType.Opt);
        BinaryPrimitives.WriteUInt16BigEndian(span[3..], PayloadSize);
        if (!blocked) return;
        BinaryPrimitives.WriteUInt16BigEndian(span[9..], ExtendedErrorLength);
        BinaryPrimitives.WriteUInt16BigEndian(span[11..], ExtendedError);
        BinaryPrimitives.WriteUInt16BigEndian(span[13..], 2);
        BinaryPrimitives.WriteUInt16BigEndian(span[15..], Blocked);
    }
}
