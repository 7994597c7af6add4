using System.Buffers.Binary;
using System.IO.Pipelines;
using Google.Protobuf;

namespace Corral.Gateway.Native;

/// <summary>Reads what a call's first message says in field 1, and leaves the bytes where they are.</summary>
internal static class FirstFrame
{
    private const int HeaderLength = 5;
    private const int MaxPeeked = 64 * 1024;
    private const uint SandboxIdTag = (1 << 3) | 2;

    /// <summary>The text of field 1 when the message begins with it; empty when it does not. Null when the frame is not gRPC's.</summary>
    public static async Task<string?> SandboxIdAsync(PipeReader body, CancellationToken cancellationToken)
    {
        while (true)
        {
            var read = await body.ReadAsync(cancellationToken);
            var found = Peek(read.Buffer, read.IsCompleted, out var text);
            body.AdvanceTo(read.Buffer.Start, found ? read.Buffer.Start : read.Buffer.End);
            if (found)
            {
                return text;
            }
        }
    }

    private static bool Peek(System.Buffers.ReadOnlySequence<byte> buffer, bool completed, out string? text)
    {
        text = null;
        if (buffer.Length < HeaderLength)
        {
            return completed;
        }

        Span<byte> header = stackalloc byte[HeaderLength];
        System.Buffers.BuffersExtensions.CopyTo(buffer.Slice(0, HeaderLength), header);
        if (header[0] != 0)
        {
            // A compressed first message cannot be routed.
            return true;
        }

        var length = BinaryPrimitives.ReadUInt32BigEndian(header[1..]);
        var wanted = Math.Min(length, MaxPeeked);
        if (buffer.Length - HeaderLength < wanted)
        {
            return completed;
        }

        try
        {
            var message = new CodedInputStream(System.Buffers.BuffersExtensions.ToArray(buffer.Slice(HeaderLength, wanted)));
            text = wanted > 0 && message.ReadTag() == SandboxIdTag ? message.ReadString() : "";
        }
        catch (InvalidProtocolBufferException)
        {
            text = null;
        }

        return true;
    }
}
