using System.Text;
using System.Text.Json;
using Google.Protobuf;

namespace Corral.Gateway.Transcoding;

/// <summary>A text, or bytes, that a document is written without: escaped it may be six times as long, and so it is only ever piece by piece.</summary>
/// <param name="end">Where in the document the empty string ends that stands for it.</param>
/// <param name="value">The text or the bytes.</param>
/// <param name="base64">Whether bytes are written as base64.</param>
internal sealed class LongValue(long end, object value, bool base64)
{
    /// <summary>How long a value is that is long.</summary>
    public const int Least = 64 * 1024;

    private const int PieceSize = 16 * 1024;

    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
    private readonly char[] _room = new char[Encoding.UTF8.GetMaxCharCount(PieceSize)];

    public int Start => End - "\"\"".Length;

    public int End => (int)end;

    /// <summary>Writes it, with its quotes. A piece is gone before the next one is escaped.</summary>
    public async Task WriteAsync(Stream output, JsonWriterOptions writing, CancellationToken cancellationToken)
    {
        await using var json = new Utf8JsonWriter(output, writing);
        var length = value is ByteString all ? all.Length : ((string)value).Length;
        for (var at = 0; at < length; at += PieceSize)
        {
            Write(json, at, Math.Min(PieceSize, length - at), last: length - at <= PieceSize);
            await json.FlushAsync(cancellationToken);
        }
    }

    private void Write(Utf8JsonWriter json, int at, int length, bool last)
    {
        switch (value)
        {
            case string text:
                json.WriteStringValueSegment(text.AsSpan(at, length), last);
                break;
            case ByteString bytes when base64:
                json.WriteBase64StringSegment(bytes.Span.Slice(at, length), last);
                break;
            case ByteString bytes:
                // Invalid UTF-8 becomes U+FFFD. Of a character that two pieces share, the decoder keeps the first part.
                json.WriteStringValueSegment(_room.AsSpan(0, _decoder.GetChars(bytes.Span.Slice(at, length), _room, last)), last);
                break;
        }
    }
}
