using System.Buffers;
using System.Text;
using System.Text.Json;
using Corral.Gateway.Terminals;
using Corral.Gateway.Transcoding;
using Google.Protobuf;

namespace Corral.Gateway.Routing;

/// <summary>Writes the response message of a route as its HTTP answer.</summary>
internal static class AnswerWriter
{
    // A tree has two levels for each directory, and a path of 4096 bytes at most 2048 of those.
    private static readonly JsonWriterOptions Writing = new()
    {
        SkipValidation = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping, MaxDepth = (2 * 2048) + 16,
    };

    public static async Task WriteAsync(HttpContext context, Route route, IMessage message)
    {
        var response = context.Response;
        response.StatusCode = route.Call.Status == 0 ? StatusCodes.Status200OK : route.Call.Status;
        if (response.StatusCode == StatusCodes.Status204NoContent)
        {
            return;
        }

        if (route.Call.FixedAnswer.Length > 0)
        {
            await WriteAsync(context, "application/json", Encoding.UTF8.GetBytes(route.Call.FixedAnswer));
        }
        else if (route.Call.PartsField.Length > 0)
        {
            var (type, body) = MultipartForm.Write(message, route.Call.PartsField);
            await WriteAsync(context, type, body);
        }
        else if (route.Call.RawAnswer || (route.Call.RawField.Length > 0 && context.Request.Query["raw"] == "true"))
        {
            var raw = (ByteString)route.Descriptor.OutputType.FindFieldByName(route.Call.RawField).Accessor.GetValue(message);
            await WriteAsync(context, "application/octet-stream", raw.Memory);
        }
        else
        {
            await WriteJsonAsync(context, Document(route, message));
        }
    }

    /// <summary>The answer of a route that is one JSON document for whoever asks there.</summary>
    public static byte[] ToJson(HttpContext context, Route route, IMessage message) => Render(context, Document(route, message), later: null).ToArray();

    public static Task WriteJsonAsync(HttpContext context, ReadOnlyMemory<byte> json) => WriteAsync(context, "application/json", json);

    private static IMessage Document(Route route, IMessage message) => route.ResponseField?.Accessor.GetValue(message) as IMessage ?? message;

    private static async Task WriteAsync(HttpContext context, string type, ReadOnlyMemory<byte> body)
    {
        context.Response.ContentType = type;
        context.Response.ContentLength = body.Length;
        await context.Response.Body.WriteAsync(body, context.RequestAborted);
    }

    private static async Task WriteJsonAsync(HttpContext context, IMessage message)
    {
        // Whatever may fail is over before anything is sent: an error is never told behind the half of an answer.
        var later = new List<LongValue>();
        var json = Render(context, message, later);
        if (later.Count == 0)
        {
            await WriteJsonAsync(context, json);
            return;
        }

        context.Response.ContentType = "application/json";
        var sent = 0;
        foreach (var value in later)
        {
            await context.Response.Body.WriteAsync(json[sent..value.Start], context.RequestAborted);
            await value.WriteAsync(context.Response.Body, Writing, context.RequestAborted);
            sent = value.End;
        }

        await context.Response.Body.WriteAsync(json[sent..], context.RequestAborted);
    }

    private static ReadOnlyMemory<byte> Render(HttpContext context, IMessage message, List<LongValue>? later)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, Writing))
        {
            new JsonMessageWriter(json, SocketUrls.OriginFor(context), later).Write(message);
        }

        return buffer.WrittenMemory;
    }
}
