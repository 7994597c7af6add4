using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Corral.Gateway.Errors;
using Corral.Gateway.Terminals;
using Corral.Gateway.Transcoding;
using Google.Protobuf;
using Grpc.Core;

namespace Corral.Gateway.Routing;

/// <summary>Writes a stream of messages as server-sent events. The set member of a message's oneof names the event and is its data.</summary>
internal sealed class EventStream(TimeProvider clock)
{
    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(15);
    private static readonly JsonWriterOptions Writing = new() { SkipValidation = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public async Task WriteAsync(HttpContext context, Route route, AsyncServerStreamingCall<byte[]> call)
    {
        // The first message decides whether there is a stream at all: an error before it is an ordinary answer.
        var next = call.ResponseStream.MoveNext(context.RequestAborted);
        await Task.WhenAny(next, Task.Delay(KeepAlive, clock, context.RequestAborted));
        if (next.IsCompleted)
        {
            await next;
        }

        context.Response.ContentType = "text/event-stream";
        context.Response.Headers.CacheControl = "no-store";
        try
        {
            await PumpAsync(context, route, call.ResponseStream, next);
        }
        catch (RpcException exception) when (!context.RequestAborted.IsCancellationRequested)
        {
            var error = ErrorBody.Render(context.Request.Path, ErrorTable.From(exception, route.Descriptor.InputType));
            WriteEvent(context.Response.BodyWriter, "error", null, error);
            await context.Response.BodyWriter.FlushAsync(context.RequestAborted);
        }
    }

    private async Task PumpAsync(HttpContext context, Route route, IAsyncStreamReader<byte[]> stream, Task<bool> next)
    {
        var output = context.Response.BodyWriter;
        var socketOrigin = SocketUrls.OriginFor(context);
        while (true)
        {
            while (!next.IsCompleted)
            {
                // What is written so far goes out before waiting; silence is broken now and then.
                await output.FlushAsync(context.RequestAborted);
                if (await Task.WhenAny(next, Task.Delay(KeepAlive, clock, context.RequestAborted)) != next)
                {
                    context.RequestAborted.ThrowIfCancellationRequested();
                    output.Write(": keep-alive\n\n"u8);
                }
            }

            if (!await next)
            {
                break;
            }

            WriteMessage(output, route.Descriptor.OutputType.Parser.ParseFrom(stream.Current), socketOrigin);
            next = stream.MoveNext(context.RequestAborted);
        }

        await output.FlushAsync(context.RequestAborted);
    }

    private static void WriteMessage(IBufferWriter<byte> output, IMessage message, string socketOrigin)
    {
        var chosen = message.Descriptor.Oneofs[0].Accessor.GetCaseFieldDescriptor(message);
        if (chosen?.Accessor.GetValue(message) is not IMessage data)
        {
            return;
        }

        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, Writing))
        {
            new JsonMessageWriter(json, socketOrigin).Write(data);
        }

        var sequence = data.Descriptor.FindFieldByName("sequence")?.Accessor.GetValue(data);
        WriteEvent(output, chosen.Name, sequence is long number ? number.ToString(CultureInfo.InvariantCulture) : null, buffer.WrittenSpan);
    }

    private static void WriteEvent(IBufferWriter<byte> output, string name, string? id, ReadOnlySpan<byte> data)
    {
        output.Write(Encoding.ASCII.GetBytes(id is null ? $"event: {name}\ndata: " : $"event: {name}\nid: {id}\ndata: "));
        output.Write(data);
        output.Write("\n\n"u8);
    }
}
