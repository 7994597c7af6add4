using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Corral.GuestLink;

/// <summary>One operation of a guest, after its request: frames both ways. Broken by whatever is not a frame.</summary>
public sealed class GuestStream : IAsyncDisposable
{
    private readonly GuestWire _wire;
    private readonly Func<GuestWire, bool> _keep;
    private bool _isAnswered;
    private bool _isOver;
    private bool _isDisposed;

    /// <param name="wire">Is its own until it is disposed of.</param>
    /// <param name="keep">Takes the connection back when the operation left it as it found it; false when it is not wanted.</param>
    internal GuestStream(GuestWire wire, Func<GuestWire, bool> keep) => (_wire, _keep) = (wire, keep);

    /// <summary>The next frame. <c>lost</c> when there is none.</summary>
    public async Task<(byte Kind, byte[] Payload)> ReadAsync(CancellationToken cancellationToken)
    {
        var (kind, payload) = await _wire.ReadAsync(cancellationToken);
        _isAnswered |= kind is Frame.Exit or Frame.Error or Frame.Result;
        return kind == Frame.Error ? throw ErrorOf(payload) : (kind, payload);
    }

    /// <summary>Reads all that comes and keeps none of it, until the end or the cancellation. Nothing can be read after it.</summary>
    public Task DiscardAsync(CancellationToken cancellationToken) => _wire.DiscardAsync(cancellationToken);

    /// <summary>The only frame of an answer, which must be a result.</summary>
    public async Task<GuestResult> ReadResultAsync(CancellationToken cancellationToken)
    {
        var (kind, payload) = await ReadAsync(cancellationToken);
        return kind == Frame.Result && Parse(payload) is { } result ? result : throw new GuestException("lost", "The guest broke the protocol.");
    }

    /// <summary>Sends a frame; longer payloads than <see cref="Frame.MaxPayload"/> are the caller's to cut.</summary>
    public Task WriteAsync(byte kind, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken)
    {
        var frame = new byte[Frame.HeaderLength + payload.Length];
        GuestWire.Put(frame, kind, payload.Span);
        return _wire.SendAsync(frame, cancellationToken);
    }

    /// <summary>Nothing more comes, and nothing more is being sent: the connection may be used for what is asked next.</summary>
    public void Finish() => _isOver = _isAnswered;

    /// <summary>Ends the operation; a command that still runs is killed by it.</summary>
    public ValueTask DisposeAsync()
    {
        if (_isDisposed)
        {
            return ValueTask.CompletedTask;
        }

        _isDisposed = true;
        return _isOver && _keep(_wire) ? ValueTask.CompletedTask : _isAnswered ? _wire.ResetAsync() : _wire.DisposeAsync();
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
