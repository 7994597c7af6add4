using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text.Json;

namespace Corral.GuestLink;

/// <summary>A connection to a guest, whose token it has proved: frames both ways. One operation after another has it.</summary>
internal sealed class GuestWire : IAsyncDisposable
{
    private const int BufferLength = 4096;

    // Results may be longer than data, but a guest that was taken over gets no more memory out of us than this.
    private const int MaxAnswer = 8 * Frame.MaxPayload;

    private readonly Stream _stream;
    private readonly byte[] _buffer = new byte[BufferLength];
    private int _from;
    private int _to;
    private bool _isBroken;

    private GuestWire(Stream stream) => _stream = stream;

    /// <summary>Whether nothing went wrong, and nothing came that nobody read.</summary>
    public bool IsClean => !_isBroken && _from == _to;

    /// <summary>Connects, proves the token and sends the first frames.</summary>
    public static async Task<GuestWire> OpenAsync(
        Func<CancellationToken, Task<Stream>> dial, ReadOnlyMemory<byte> token, ReadOnlyMemory<byte> frames, CancellationToken cancellationToken)
    {
        GuestWire? wire = null;
        try
        {
            wire = new GuestWire(await dial(cancellationToken));
            var opening = new byte[token.Length + frames.Length];
            token.CopyTo(opening);
            frames.CopyTo(opening.AsMemory(token.Length));
            await wire.SendAsync(opening, cancellationToken);
            return wire;
        }
        catch (Exception exception)
        {
            if (wire is not null)
            {
                await wire.DisposeAsync();
            }

            throw exception is IOException or SocketException ? new GuestException("lost", "The guest does not answer.", exception) : exception;
        }
    }

    /// <summary>A request as a frame, and frames that come with it.</summary>
    public static byte[] RequestFrame(GuestRequest request, ReadOnlyMemory<byte> more)
    {
        var text = JsonSerializer.SerializeToUtf8Bytes(request, GuestJson.Default.GuestRequest);
        if (text.Length > Frame.MaxRequest)
        {
            throw new GuestException("too_large", $"The request is longer than {Frame.MaxRequest} bytes.");
        }

        var frames = new byte[Frame.HeaderLength + text.Length + more.Length];
        Put(frames, Frame.Request, text);
        more.Span.CopyTo(frames.AsSpan(Frame.HeaderLength + text.Length));
        return frames;
    }

    /// <summary>Writes a frame.</summary>
    public static void Put(Span<byte> target, byte kind, ReadOnlySpan<byte> payload)
    {
        target[0] = kind;
        BinaryPrimitives.WriteInt32LittleEndian(target[1..], payload.Length);
        payload.CopyTo(target[Frame.HeaderLength..]);
    }

    /// <summary>Whether it is open still, and nothing comes, as it must be between two operations.</summary>
    public bool IsSilent()
    {
        try
        {
            return IsClean && _stream is NetworkStream connection && !connection.Socket.Poll(0, SelectMode.SelectRead);
        }
        catch (Exception exception) when (exception is ObjectDisposedException or SocketException)
        {
            return false;
        }
    }

    /// <summary>Sends frames. <c>lost</c> when nobody takes them.</summary>
    public async Task SendAsync(ReadOnlyMemory<byte> frames, CancellationToken cancellationToken)
    {
        try
        {
            await _stream.WriteAsync(frames, cancellationToken);
        }
        catch (Exception exception)
        {
            _isBroken = true;
            throw exception is IOException ? new GuestException("lost", "The guest is gone.", exception) : exception;
        }
    }

    /// <summary>The next frame. <c>lost</c> when there is none.</summary>
    public async Task<(byte Kind, byte[] Payload)> ReadAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (_to - _from < Frame.HeaderLength)
            {
                await FillAsync(cancellationToken);
            }

            var kind = _buffer[_from];
            var length = BinaryPrimitives.ReadUInt32LittleEndian(_buffer.AsSpan(_from + 1));
            if (length > MaxAnswer)
            {
                throw new GuestException("lost", "The guest broke the protocol.");
            }

            _from += Frame.HeaderLength;
            var payload = new byte[length];
            var here = Math.Min(payload.Length, _to - _from);
            _buffer.AsSpan(_from, here).CopyTo(payload);
            _from += here;
            await _stream.ReadExactlyAsync(payload.AsMemory(here), cancellationToken);
            return (kind, payload);
        }
        catch (Exception exception)
        {
            _isBroken = true;
            throw exception is IOException ? new GuestException("lost", "The guest is gone.", exception) : exception;
        }
    }

    /// <summary>Reads all that comes and keeps none of it, until the end or the cancellation.</summary>
    public async Task DiscardAsync(CancellationToken cancellationToken)
    {
        _isBroken = true;
        var room = new byte[Frame.MaxPayload];
        try
        {
            while (await _stream.ReadAsync(room, cancellationToken) > 0)
            {
            }
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException)
        {
            // There is nothing more, or nothing more is wanted.
        }
    }

    /// <summary>Closes it, and leaves nothing behind on either side: nothing is on its way any more.</summary>
    public ValueTask ResetAsync()
    {
        try
        {
            if (_stream is NetworkStream connection)
            {
                connection.Socket.LingerState = new LingerOption(true, 0);
            }
        }
        catch (Exception exception) when (exception is ObjectDisposedException or SocketException)
        {
            // It is gone with its sandbox.
        }

        return DisposeAsync();
    }

    /// <summary>Breaks it; a command that still runs is killed by that.</summary>
    public ValueTask DisposeAsync() => _stream.DisposeAsync();

    private async Task FillAsync(CancellationToken cancellationToken)
    {
        _buffer.AsSpan(_from, _to - _from).CopyTo(_buffer);
        (_from, _to) = (0, _to - _from);
        var count = await _stream.ReadAsync(_buffer.AsMemory(_to), cancellationToken);
        _to += count > 0 ? count : throw new EndOfStreamException();
    }
}
