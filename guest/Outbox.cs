using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Corral.GuestLink;

namespace Corral.Guest;

/// <summary>The one frame that is on its way to a client. While it is, its owner makes no other: that is how a slow client slows the source, and no memory grows.</summary>
internal sealed unsafe class Outbox(int socket)
{
    private const int MsgDontwait = 0x40;
    private const int MsgNosignal = 0x4000;

    private byte[] _bytes = new byte[Frame.HeaderLength + (32 * 1024)];
    private int _from;
    private int _to;

    public bool IsEmpty => _from == _to;

    /// <summary>Where a payload may be put before <see cref="Commit"/>; only while it is empty.</summary>
    public Span<byte> Room => _bytes.AsSpan(Frame.HeaderLength);

    /// <summary>Makes a frame of what was put into <see cref="Room"/>.</summary>
    public void Commit(byte kind, int length)
    {
        _bytes[0] = kind;
        BinaryPrimitives.WriteInt32LittleEndian(_bytes.AsSpan(1), length);
        _from = 0;
        _to = Frame.HeaderLength + length;
    }

    public void Put<T>(byte kind, T value, JsonTypeInfo<T> type)
    {
        var payload = JsonSerializer.SerializeToUtf8Bytes(value, type);
        if (payload.Length > Room.Length)
        {
            _bytes = new byte[Frame.HeaderLength + payload.Length];
        }

        payload.CopyTo(Room);
        Commit(kind, payload.Length);
    }

    /// <summary>Sends what the client takes now. False when it is gone.</summary>
    public bool Flush()
    {
        while (!IsEmpty)
        {
            nint count;
            fixed (byte* start = _bytes)
            {
                count = Libc.send(socket, start + _from, (nuint)(_to - _from), MsgDontwait | MsgNosignal);
            }

            if (count > 0)
            {
                _from += (int)count;
            }
            else if (Libc.LastError != Libc.Eintr)
            {
                return Libc.LastError == Libc.Eagain;
            }
        }

        return true;
    }
}
