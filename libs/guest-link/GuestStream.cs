using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Corral.GuestLink;

/// <summary>One connection to a guest, after its request: frames both ways. Broken by whatever is not a frame.</summary>
public sealed class GuestStream : IAsyncDisposable
{
    private readonly Stream _stream;
    private readonly byte[] _header = new byte[Frame.HeaderLength];
    private bool _isAnswered;

    private GuestStream(Stream stream) => _stream = stream;

    /// <summary>Proves the token and sends the request.</summary>
    /// <param name="dial">Opens the connection; the stream owns it from here on.</param>
    /// <param name="token">The sandbox's token, 32 bytes.</param>
    /// <param name="request">What is asked.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    public static async Task<GuestStream> OpenAsync(
        Func<CancellationToken, Task<Stream>> dial, ReadOnlyMemory<byte> token, GuestRequest request, CancellationToken cancellationToken)
    {
        var text = JsonSerializer.SerializeToUtf8Bytes(request, GuestJson.Default.GuestRequest);
        if (text.Length > Frame.MaxRequest)
        {
            throw new GuestException("too_large", $"The request is longer than {Frame.MaxRequest} bytes.");
        }

        var opening = new byte[Frame.TokenLength + sizeof(uint) + text.Length];
        token.Span.CopyTo(opening);
        BinaryPrimitives.WriteInt32LittleEndian(opening.AsSpan(Frame.TokenLength), text.Length);
        text.CopyTo(opening, Frame.TokenLength + sizeof(uint));
        Stream? stream = null;
        try
        {
            stream = await dial(cancellationToken);
            await stream.WriteAsync(opening, cancellationToken);
            return new GuestStream(stream);
        }
        catch (Exception exception) when (exception is IOException or SocketException)
        {
            if (stream is not null)
            {
                await stream.DisposeAsync();
            }

            throw new GuestException("lost", "The guest does not answer.", exception);
        }
    }

    /// <summary>The next frame. <c>lost</c> when there is none.</summary>
    public async Task<(byte Kind, byte[] Payload)> ReadAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _stream.ReadExactlyAsync(_header, cancellationToken);
            var length = BinaryPrimitives.ReadUInt32LittleEndian(_header.AsSpan(1));
            // Results may be longer than data, but a guest that was taken over gets no more memory out of us than this.
            if (length > 8 * Frame.MaxPayload)
            {
                throw new GuestException("lost", "The guest broke the protocol.");
            }

            var payload = new byte[length];
            await _stream.ReadExactlyAsync(payload, cancellationToken);
            _isAnswered |= _header[0] is Frame.Exit or Frame.Error or Frame.Result;
            return _header[0] == Frame.Error ? throw ErrorOf(payload) : (_header[0], payload);
        }
        catch (IOException exception)
        {
            throw new GuestException("lost", "The guest is gone.", exception);
        }
    }

    /// <summary>Reads all that comes and keeps none of it, until the end or the cancellation. Nothing can be read after it.</summary>
    public async Task DiscardAsync(CancellationToken cancellationToken)
    {
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

    /// <summary>The next frame, which must be a result.</summary>
    public async Task<GuestResult> ReadResultAsync(CancellationToken cancellationToken)
    {
        var (kind, payload) = await ReadAsync(cancellationToken);
        return kind == Frame.Result && Parse(payload) is { } result ? result : throw new GuestException("lost", "The guest broke the protocol.");
    }

    /// <summary>Sends a frame; longer payloads than <see cref="Frame.MaxPayload"/> are the caller's to cut.</summary>
    public async Task WriteAsync(byte kind, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken)
    {
        var frame = new byte[Frame.HeaderLength + payload.Length];
        frame[0] = kind;
        BinaryPrimitives.WriteInt32LittleEndian(frame.AsSpan(1), payload.Length);
        payload.CopyTo(frame.AsMemory(Frame.HeaderLength));
        try
        {
            await _stream.WriteAsync(frame, cancellationToken);
        }
        catch (IOException exception)
        {
            throw new GuestException("lost", "The guest is gone.", exception);
        }
    }

    /// <summary>Breaks the connection; a command that still runs is killed by it.</summary>
    public ValueTask DisposeAsync()
    {
        if (_isAnswered && _stream is NetworkStream connection)
        {
            LeaveNothing(connection.Socket);
        }

        return _stream.DisposeAsync();
    }

    // Nothing is on its way any more, and reset it leaves nothing behind on either side: there is one for each command.
    private static void LeaveNothing(Socket socket)
    {
        try
        {
            socket.LingerState = new LingerOption(true, 0);
        }
        catch (Exception exception) when (exception is ObjectDisposedException or SocketException)
        {
            // It is gone with its sandbox.
        }
    }

    /// <summary>Reads a result frame's payload.</summary>
    public static GuestResult? Parse(byte[] payload)
    {
        try
        {
            return JsonSerializer.Deserialize(payload, GuestJson.Default.GuestResult);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Reads an exit frame's payload; a malformed one is a lost command, never a successful one.</summary>
    public static GuestExit ParseExit(byte[] payload) => Parse(payload, GuestJson.Default.GuestExit);

    /// <summary>Reads a changes frame's payload.</summary>
    public static GuestChanges ParseChanges(byte[] payload) => Parse(payload, GuestJson.Default.GuestChanges);

    /// <summary>Reads the payload of an attached or a skipped frame.</summary>
    public static GuestPosition ParsePosition(byte[] payload) => Parse(payload, GuestJson.Default.GuestPosition);

    /// <summary>Reads a resized frame's payload.</summary>
    public static (int Columns, int Rows) ParseSize(byte[] payload) => payload.Length == 2 * sizeof(ushort)
        ? (BinaryPrimitives.ReadUInt16LittleEndian(payload), BinaryPrimitives.ReadUInt16LittleEndian(payload.AsSpan(sizeof(ushort))))
        : throw new GuestException("lost", "The guest broke the protocol.");

    private static T Parse<T>(byte[] payload, JsonTypeInfo<T> type)
    {
        try
        {
            return JsonSerializer.Deserialize(payload, type) ?? throw new GuestException("lost", "The guest broke the protocol.");
        }
        catch (JsonException exception)
        {
            throw new GuestException("lost", "The guest broke the protocol.", exception);
        }
    }

    private static GuestException ErrorOf(byte[] payload)
    {
        try
        {
            var error = JsonSerializer.Deserialize(payload, GuestJson.Default.GuestError);
            return new GuestException(error?.Code ?? "other", error?.Message ?? "The operation failed.");
        }
        catch (JsonException exception)
        {
            return new GuestException("lost", "The guest broke the protocol.", exception);
        }
    }
}
