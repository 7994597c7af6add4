using System.Buffers.Binary;
using Corral.GuestLink;

namespace Corral.Guest;

/// <summary>What has come of a frame.</summary>
internal enum FrameStep
{
    /// <summary>More bytes are wanted.</summary>
    Partial,

    /// <summary>It is whole.</summary>
    Whole,

    /// <summary>It claims to be longer than frames are: nothing that follows can be trusted.</summary>
    Broken,
}

/// <summary>Puts frames together, however the bytes were torn apart on their way. Never holds more than one.</summary>
internal sealed class FrameReader
{
    private readonly byte[] _header = new byte[Frame.HeaderLength];
    private byte[]? _payload;
    private int _filled;

    /// <summary>Where the next bytes go; never empty.</summary>
    public Span<byte> Room => _payload is null ? _header.AsSpan(_filled) : _payload.AsSpan(_filled);

    /// <summary>So many bytes were put into <see cref="Room"/>.</summary>
    public FrameStep Advance(int count)
    {
        _filled += count;
        if (_payload is null)
        {
            if (_filled < Frame.HeaderLength)
            {
                return FrameStep.Partial;
            }

            var length = BinaryPrimitives.ReadUInt32LittleEndian(_header.AsSpan(1));
            if (length > (_header[0] == Frame.Request ? Frame.MaxRequest : Frame.MaxPayload))
            {
                return FrameStep.Broken;
            }

            _payload = new byte[length];
            _filled = 0;
        }

        return _filled < _payload.Length ? FrameStep.Partial : FrameStep.Whole;
    }

    /// <summary>Hands out the frame that is whole, and begins the next.</summary>
    public byte[] Take(out byte kind)
    {
        var payload = _payload ?? [];
        kind = _header[0];
        _payload = null;
        _filled = 0;
        return payload;
    }
}
