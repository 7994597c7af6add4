using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using Corral.Egress.Policies;

namespace Corral.Egress.Flows;

/// <summary>Reads the server name out of a TLS ClientHello (RFC 8446, 4.1.2 and RFC 6066, 3), which may be spread over many records.</summary>
internal static class ClientHello
{
    public const byte HandshakeRecord = 22;

    private const byte ClientHelloMessage = 1, HostName = 0;
    private const int RecordHeader = 5, MessageHeader = 4, MaxRecord = 16 * 1024;
    private const int FixedPart = 2 + 32; // version and random
    private const ushort ServerNameExtension = 0;
    private static readonly Hello Malformed = Hello.Malformed(FlowProtocol.Tls);
    private static readonly Hello Incomplete = new(HelloState.Incomplete, FlowProtocol.Tls, null);

    public static Hello Read(ReadOnlySpan<byte> bytes)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(Math.Max(1, bytes.Length));
        try
        {
            return Join(bytes, buffer, out var length) ? ReadMessage(buffer.AsSpan(0, length)) : Malformed;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    // Puts what the records carry together; false when something that is no handshake comes before its end.
    private static bool Join(ReadOnlySpan<byte> bytes, Span<byte> message, out int length)
    {
        length = 0;
        while (bytes.Length > 0 && !IsWhole(message[..length]))
        {
            if (bytes[0] != HandshakeRecord || (bytes.Length > 1 && bytes[1] != 3)) return false;
            if (bytes.Length < RecordHeader) return true;
            var size = BinaryPrimitives.ReadUInt16BigEndian(bytes[3..]);
            if (size is 0 or > MaxRecord) return false;
            var fragment = bytes.Slice(RecordHeader, Math.Min(size, bytes.Length - RecordHeader));
            fragment.CopyTo(message[length..]);
            length += fragment.Length;
            bytes = bytes[(RecordHeader + fragment.Length)..];
        }

        return true;
    }

    private static bool IsWhole(ReadOnlySpan<byte> message) => message.Length >= MessageHeader && message.Length >= MessageHeader + SizeOf(message);

    private static int SizeOf(ReadOnlySpan<byte> message) => (message[1] << 16) | (message[2] << 8) | message[3];

    private static Hello ReadMessage(ReadOnlySpan<byte> message)
    {
        if (message.Length > 0 && message[0] != ClientHelloMessage) return Malformed;
        if (message.Length >= MessageHeader && SizeOf(message) > HelloReader.MaxLength) return Malformed;
        if (!IsWhole(message)) return Incomplete;
        var body = new Cursor(message.Slice(MessageHeader, SizeOf(message)));
        if (!body.Skip(FixedPart) || !body.TakeVector8(out _) || !body.TakeVector16(out _) || !body.TakeVector8(out _)) return Malformed;
        if (body.IsEmpty) return Hello.Complete(FlowProtocol.Tls, null);
        return body.TakeVector16(out var extensions) && body.IsEmpty ? ReadExtensions(extensions) : Malformed;
    }

    private static Hello ReadExtensions(ReadOnlySpan<byte> bytes)
    {
        var extensions = new Cursor(bytes);
        var found = false;
        string? name = null;
        while (!extensions.IsEmpty)
        {
            if (!extensions.Take16(out var kind) || !extensions.TakeVector16(out var content)) return Malformed;
            if (kind != ServerNameExtension) continue;
            // Two of them, and who knows which one the server believes.
            if (found || !TryReadName(content, out name)) return Malformed;
            found = true;
        }

        return Hello.Complete(FlowProtocol.Tls, name);
    }

    private static bool TryReadName(ReadOnlySpan<byte> content, out string? name)
    {
        name = null;
        var extension = new Cursor(content);
        if (!extension.TakeVector16(out var list) || !extension.IsEmpty) return false;
        var names = new Cursor(list);
        if (!names.Take8(out var kind) || kind != HostName || !names.TakeVector16(out var text) || !names.IsEmpty) return false;
        return text.Length <= DomainName.MaxLength && DomainName.TryNormalize(Encoding.Latin1.GetString(text), out name);
    }

    private ref struct Cursor(ReadOnlySpan<byte> bytes)
    {
        private ReadOnlySpan<byte> _rest = bytes;

        public readonly bool IsEmpty => _rest.IsEmpty;

        public bool Skip(int count) => TakeBytes(count, out _);

        public bool Take8(out byte value)
        {
            var taken = TakeBytes(1, out var bytes);
            value = taken ? bytes[0] : (byte)0;
            return taken;
        }

        public bool Take16(out ushort value)
        {
            var taken = TakeBytes(2, out var bytes);
            value = taken ? BinaryPrimitives.ReadUInt16BigEndian(bytes) : (ushort)0;
            return taken;
        }

        public bool TakeVector8(out ReadOnlySpan<byte> content)
        {
            content = default;
            return Take8(out var size) && TakeBytes(size, out content);
        }

        public bool TakeVector16(out ReadOnlySpan<byte> content)
        {
            content = default;
            return Take16(out var size) && TakeBytes(size, out content);
        }

        private bool TakeBytes(int count, out ReadOnlySpan<byte> bytes)
        {
            if (_rest.Length < count)
            {
                bytes = default;
                return false;
            }

            bytes = _rest[..count];
            _rest = _rest[count..];
            return true;
        }
    }
}
