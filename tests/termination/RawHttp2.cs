using System.Buffers.Binary;
using System.Net.Security;
using System.Text;

namespace Corral.Termination.Tests;

/// <summary>A client of HTTP/2 that sends exactly the frames it is told to (RFC 9113), with headers as literals (RFC 7541, section 6.2.2).</summary>
internal sealed class RawHttp2(RawClient client) : IAsyncDisposable
{
    public const byte Data = 0, Headers = 1, Reset = 3, Settings = 4, Ping = 6, GoAway = 7, Continuation = 9;

    private const byte EndStream = 1, Ack = 1, EndHeaders = 4;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    public static async Task<RawHttp2> ConnectAsync(Terminating terminating, int port, string name) =>
        await ConnectAsync(await RawClient.TlsAsync(terminating, port, name, SslApplicationProtocol.Http2));

    public static async Task<RawHttp2> ConnectAsync(RawClient client)
    {
        await client.SendAsync("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        var http2 = new RawHttp2(client);
        // SETTINGS_HEADER_TABLE_SIZE 0: every header of an answer is a literal, or an entry of the static table.
        await http2.SendAsync(Settings, 0, 0, [0, 1, 0, 0, 0, 0]);
        return http2;
    }

    public Task RequestAsync(int stream, string authority, string path, string scheme = "https", params (string Name, string Value)[] more) =>
        SendAsync(Headers, EndStream | EndHeaders, stream,
            Encode([(":method", "GET"), (":scheme", scheme), (":path", path), (":authority", authority), .. more]));

    public Task ResetAsync(int stream) => SendAsync(Reset, 0, stream, [0, 0, 0, 8]);

    public Task SendAsync(byte type, byte flags, int stream, byte[] payload)
    {
        var frame = new byte[9 + payload.Length];
        frame[0] = (byte)(payload.Length >> 16);
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(1), (ushort)payload.Length);
        (frame[3], frame[4]) = (type, flags);
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), stream);
        payload.CopyTo(frame, 9);
        return client.Stream.WriteAsync(frame).AsTask();
    }

    /// <summary>The next frame; null when the connection is closed.</summary>
    public async Task<(byte Type, byte Flags, int Stream, byte[] Payload)?> FrameAsync()
    {
        var head = new byte[9];
        try
        {
            if (await client.Stream.ReadAtLeastAsync(head, 9, throwOnEndOfStream: false).AsTask().WaitAsync(Patience) < 9) return null;
            var payload = new byte[(head[0] << 16) | BinaryPrimitives.ReadUInt16BigEndian(head.AsSpan(1))];
            await client.Stream.ReadExactlyAsync(payload).AsTask().WaitAsync(Patience);
            return (head[3], head[4], BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(5)) & int.MaxValue, payload);
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>The statuses of the next answers, by stream.</summary>
    public async Task<Dictionary<int, int>> StatusesAsync(int count)
    {
        var statuses = new Dictionary<int, int>();
        while (statuses.Count < count && await FrameAsync() is { } frame)
        {
            if (frame.Type == Headers) statuses.TryAdd(frame.Stream, StatusOf(frame.Payload));
            if (frame.Type == Settings && (frame.Flags & Ack) == 0) await SendAsync(Settings, Ack, 0, []);
        }

        return statuses;
    }

    public ValueTask DisposeAsync() => client.DisposeAsync();

    public static byte[] Encode(IEnumerable<(string Name, string Value)> headers)
    {
        using var block = new MemoryStream();
        foreach (var (name, value) in headers)
        {
            block.WriteByte(0);
            Literal(block, name);
            Literal(block, value);
        }

        return block.ToArray();
    }

    private static void Literal(MemoryStream block, string text)
    {
        // RFC 7541, section 5.1: a prefix of 7 bits.
        if (text.Length < 127)
        {
            block.WriteByte((byte)text.Length);
        }
        else
        {
            block.WriteByte(127);
            var rest = text.Length - 127;
            for (; rest >= 128; rest >>= 7) block.WriteByte((byte)((rest & 127) | 128));
            block.WriteByte((byte)rest);
        }

        block.Write(Encoding.Latin1.GetBytes(text));
    }

    // The status comes first: an entry of the static table (8 to 14), or a literal for the table's name 8. A size update may stand before it.
    private static int StatusOf(byte[] block)
    {
        var at = (block[0] & 0xe0) == 0x20 ? 1 : 0;
        if ((block[at] & 0x80) != 0) return new[] { 200, 204, 206, 304, 400, 404, 500 }[(block[at] & 0x7f) - 8];
        return (block[at + 1] & 0x80) == 0 ? int.Parse(Encoding.Latin1.GetString(block, at + 2, 3), null) : -1;
    }
}
