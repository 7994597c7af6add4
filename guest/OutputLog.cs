using System.Buffers.Binary;

namespace Corral.Guest;

/// <summary>A place in an output, before one of its pieces or within it.</summary>
/// <param name="Sequence">So many pieces come before the piece.</param>
/// <param name="Offset">So many bytes do.</param>
/// <param name="Position">Where the log has the piece.</param>
/// <param name="Inside">So many of the piece's own bytes are behind the place.</param>
internal readonly record struct LogMark(long Sequence, long Offset, long Position, int Inside = 0);

/// <summary>The last of what a command wrote, in the pieces in which it was read. It begins small, and never passes its bound, headers included.</summary>
internal sealed class OutputLog(int capacity)
{
    // Kind and length.
    private const int HeaderLength = 3;
    private const int FirstSize = 4 * 1024;

    private byte[] _ring = new byte[Math.Min(FirstSize, capacity)];

    /// <summary>Before the oldest piece that is kept.</summary>
    public LogMark Start { get; private set; }

    /// <summary>After the newest.</summary>
    public LogMark End { get; private set; }

    /// <summary>Adds a piece; the oldest ones make room.</summary>
    public void Add(byte kind, ReadOnlySpan<byte> piece)
    {
        var length = HeaderLength + piece.Length;
        Grow(length);
        while (_ring.Length - (End.Position - Start.Position) < length)
        {
            Start = After(Start);
        }

        Span<byte> header = stackalloc byte[HeaderLength];
        header[0] = kind;
        BinaryPrimitives.WriteUInt16LittleEndian(header[1..], (ushort)piece.Length);
        Write(End.Position, header);
        Write(End.Position + HeaderLength, piece);
        End = new LogMark(End.Sequence + 1, End.Offset + piece.Length, End.Position + length);
    }

    /// <summary>Whether so much may be added without a piece after the mark being lost.</summary>
    public bool HasRoom(LogMark mark, int length) => End.Position - mark.Position + HeaderLength + length <= capacity;

    /// <summary>Copies out what follows the mark in its piece, and moves the mark behind it; 0 at the end. The mark must not lie before the start.</summary>
    public int Read(ref LogMark mark, Span<byte> room, out byte kind)
    {
        kind = 0;
        if (mark.Position == End.Position)
        {
            return 0;
        }

        (kind, var length) = HeaderAt(mark.Position);
        var rest = length - mark.Inside;
        Read(mark.Position + HeaderLength + mark.Inside, room[..rest]);
        mark = After(mark);
        return rest;
    }

    /// <summary>After so many pieces, or as soon after as is kept.</summary>
    public LogMark AfterPieces(long sequence)
    {
        var mark = Start;
        while (mark.Sequence < sequence && mark.Position < End.Position)
        {
            mark = After(mark);
        }

        return mark;
    }

    /// <summary>After so many bytes, or as soon after as is kept.</summary>
    public LogMark AfterBytes(long offset)
    {
        var mark = Start;
        while (mark.Position < End.Position && After(mark).Offset <= offset)
        {
            mark = After(mark);
        }

        return mark.Position < End.Position && offset > mark.Offset ? mark with { Inside = (int)(offset - mark.Offset) } : mark;
    }

    private LogMark After(LogMark mark)
    {
        var (_, length) = HeaderAt(mark.Position);
        return new LogMark(mark.Sequence + 1, mark.Offset + length, mark.Position + HeaderLength + length);
    }

    private (byte Kind, int Length) HeaderAt(long position)
    {
        Span<byte> header = stackalloc byte[HeaderLength];
        Read(position, header);
        return (header[0], BinaryPrimitives.ReadUInt16LittleEndian(header[1..]));
    }

    private void Grow(int length)
    {
        var used = (int)(End.Position - Start.Position);
        var size = _ring.Length;
        while (size - used < length && size < capacity)
        {
            size = Math.Min(2 * size, capacity);
        }

        if (size == _ring.Length)
        {
            return;
        }

        var kept = new byte[used];
        Read(Start.Position, kept);
        _ring = new byte[size];
        Write(Start.Position, kept);
    }

    private void Write(long position, ReadOnlySpan<byte> bytes)
    {
        var at = (int)(position % _ring.Length);
        var first = Math.Min(bytes.Length, _ring.Length - at);
        bytes[..first].CopyTo(_ring.AsSpan(at));
        bytes[first..].CopyTo(_ring);
    }

    private void Read(long position, Span<byte> bytes)
    {
        var at = (int)(position % _ring.Length);
        var first = Math.Min(bytes.Length, _ring.Length - at);
        _ring.AsSpan(at, first).CopyTo(bytes);
        _ring.AsSpan(0, bytes.Length - first).CopyTo(bytes[first..]);
    }
}
