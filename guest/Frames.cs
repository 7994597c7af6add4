using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Corral.GuestLink;

namespace Corral.Guest;

/// <summary>Writes and reads frames on a descriptor, and waits meanwhile.</summary>
internal static class Frames
{
    private const int Small = 1024;

    public static bool Write(int fd, byte kind, ReadOnlySpan<byte> payload)
    {
        // In one piece where that is cheap: each piece wakes the other side.
        Span<byte> start = stackalloc byte[Frame.HeaderLength + (payload.Length <= Small ? payload.Length : 0)];
        start[0] = kind;
        BinaryPrimitives.WriteInt32LittleEndian(start[1..], payload.Length);
        if (start.Length == Frame.HeaderLength)
        {
            return Libc.WriteAll(fd, start) && Libc.WriteAll(fd, payload);
        }

        payload.CopyTo(start[Frame.HeaderLength..]);
        return Libc.WriteAll(fd, start);
    }

    public static bool Write<T>(int fd, byte kind, T value, JsonTypeInfo<T> type) => Write(fd, kind, JsonSerializer.SerializeToUtf8Bytes(value, type));

    public static void Fail(int fd, string code, string message) => Write(fd, Frame.Error, new GuestError(code, message), GuestJson.Default.GuestError);

    /// <summary>The next frame; false at the end, or when it is longer than frames are.</summary>
    public static bool Read(int fd, FrameReader reader, out byte kind, out byte[] payload)
    {
        var step = FrameStep.Partial;
        while (step == FrameStep.Partial && Libc.Read(fd, reader.Room) is > 0 and var count)
        {
            step = reader.Advance(count);
        }

        kind = 0;
        payload = step == FrameStep.Whole ? reader.Take(out kind) : [];
        return step == FrameStep.Whole;
    }
}
