using System.Buffers;
using System.Globalization;
using Corral.Dialect.V1;
using Corral.Gateway.Transcoding;
using Google.Protobuf;

namespace Corral.Gateway.Routing;

/// <summary>Makes the request message of a route from an HTTP request: its path, and its query or its body, whatever media type that says it has.</summary>
internal static class RequestReader
{
    private const int MaxBody = 10 * 1024 * 1024;

    public static async Task<IMessage> ReadAsync(HttpContext context, Route route)
    {
        var message = await ReadMessageAsync(context, route);
        route.ReadPath(context.Request.Path, message);
        ReadLastEventId(context.Request, route, message);
        return message;
    }

    // A client whose stream broke repeats its address, and says in a header what it saw last.
    private static void ReadLastEventId(HttpRequest request, Route route, IMessage message)
    {
        if (route.Call.Answer == Answer.Events && long.TryParse(request.Headers["Last-Event-ID"], NumberStyles.None, CultureInfo.InvariantCulture, out var last))
        {
            route.Descriptor.InputType.FindFieldByName("after")?.Accessor.SetValue(message, last);
        }
    }

    private static async Task<IMessage> ReadMessageAsync(HttpContext context, Route route)
    {
        var type = route.Descriptor.InputType;
        if (route.Call.PartsField.Length > 0 && type.FindFieldByName(route.Call.PartsField) is not null)
        {
            return await MultipartForm.ReadAsync(type, route.Call.PartsField, context.Request.ContentType, await ReadBodyAsync(context));
        }

        if (route.HasBody)
        {
            if (context.Request.Query.Count > 0 && !route.IsLeap)
            {
                throw new RequestException($"Unknown query parameter: {context.Request.Query.Keys.First()}");
            }

            return JsonMessageReader.ReadBody(type, await ReadBodyAsync(context));
        }

        var message = JsonMessageReader.ReadQuery(type, context.Request.Query, name => name == "raw" && route.Call.RawField.Length > 0);
        if (route.Call.BodyField.Length > 0 && !route.IsUpload)
        {
            type.FindFieldByName(route.Call.BodyField).Accessor.SetValue(message, UnsafeByteOperations.UnsafeWrap(await ReadBodyAsync(context)));
        }

        return message;
    }

    /// <summary>The whole body; refuses one that is too large.</summary>
    public static async Task<ReadOnlyMemory<byte>> ReadBodyAsync(HttpContext context)
    {
        if (context.Request.ContentLength > MaxBody)
        {
            throw TooLarge();
        }

        var reader = context.Request.BodyReader;
        var isPaidFor = false;
        while (true)
        {
            var read = await reader.ReadAsync(context.RequestAborted);
            if (read.Buffer.Length > MaxBody)
            {
                // Given back, so that the rest can be drained and the connection carries the next request.
                reader.AdvanceTo(read.Buffer.End);
                throw TooLarge();
            }

            if (read.Buffer.Length > MemoryShares.Short && !isPaidFor)
            {
                // Looked at again once there is room.
                reader.AdvanceTo(read.Buffer.Start);
                await MemoryShares.TakeForBodyAsync(context, context.Request.ContentLength ?? MaxBody);
                isPaidFor = true;
                continue;
            }

            if (read.IsCompleted)
            {
                var body = read.Buffer.ToArray();
                reader.AdvanceTo(read.Buffer.End);
                return body;
            }

            reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    private static RequestException TooLarge() => new("The body is larger than 10 MiB", StatusCodes.Status413PayloadTooLarge);
}
