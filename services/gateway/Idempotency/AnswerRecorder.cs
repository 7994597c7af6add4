namespace Corral.Gateway.Idempotency;

/// <summary>Takes an answer down. A stream of events goes on to the client at once; anything else is held back until it is whole and kept.</summary>
/// <remarks>A client that is gone is no reason to stop: it will ask again.</remarks>
internal sealed class AnswerRecorder(HttpResponse response, Stream client, int most) : Stream
{
    private readonly MemoryStream _answer = new();
    private bool _clientIsGone;

    /// <summary>The answer; null for one that is too long to be kept.</summary>
    public byte[]? Answer => _answer.Length > most ? null : _answer.ToArray();

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    private bool IsEvents => response.ContentType?.StartsWith("text/event-stream", StringComparison.Ordinal) == true;

    /// <summary>Lets the client have what was held back.</summary>
    public async Task ReleaseAsync()
    {
        if (!IsEvents)
        {
            await ToClientAsync(_answer.GetBuffer().AsMemory(0, (int)_answer.Length));
        }
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (!IsEvents || _answer.Length <= most)
        {
            _answer.Write(buffer.Span);
        }

        if (IsEvents)
        {
            await ToClientAsync(buffer);
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async Task FlushAsync(CancellationToken cancellationToken)
    {
        if (IsEvents && !_clientIsGone)
        {
            await client.FlushAsync(cancellationToken);
        }
    }

    public override void Flush() => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    private async Task ToClientAsync(ReadOnlyMemory<byte> bytes)
    {
        // An answer of no bytes may be one that must have none.
        if (_clientIsGone || bytes.IsEmpty)
        {
            return;
        }

        try
        {
            await client.WriteAsync(bytes);
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException or ObjectDisposedException)
        {
            _clientIsGone = true;
        }
    }
}
