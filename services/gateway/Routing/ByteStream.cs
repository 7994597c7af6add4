using System.Buffers;
using System.IO.Pipelines;
using Corral.Gateway.Transcoding;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;

namespace Corral.Gateway.Routing;

/// <summary>Passes bodies on in pieces, in either direction. One piece is held at a time, however long the body is.</summary>
internal static class ByteStream
{
    private const int PieceSize = 64 * 1024;

    /// <summary>Writes a stream of messages as the bytes of their field <c>data</c>.</summary>
    public static async Task WriteAsync(HttpContext context, IMessage request, Route route, AsyncServerStreamingCall<byte[]> call)
    {
        var type = route.Descriptor.OutputType;
        var data = type.FindFieldByName("data");
        var left = 0L;
        var response = context.Response;
        if (await call.ResponseStream.MoveNext(context.RequestAborted))
        {
            left = Length(request, type.FindFieldByName("size"), type.Parser.ParseFrom(call.ResponseStream.Current));
        }

        response.ContentType = "application/octet-stream";
        response.ContentLength = left;
        if (HttpMethods.IsHead(context.Request.Method))
        {
            return;
        }

        while (left > 0 && await NextAsync(context, call))
        {
            // A file that grows meanwhile does not grow the answer.
            var piece = ((ByteString)data.Accessor.GetValue(type.Parser.ParseFrom(call.ResponseStream.Current))).Memory;
            await response.Body.WriteAsync(piece[..(int)Math.Min(left, piece.Length)], context.RequestAborted);
            left -= Math.Min(left, piece.Length);
        }

        if (left > 0)
        {
            // It is shorter than was said, and there is no other way any more to say so.
            context.Abort();
        }
    }

    /// <summary>Makes messages of a body, and null of its end, until <paramref name="take"/> wants no more.</summary>
    public static async Task ReadAsync(PipeReader body, Route route, Func<byte[]?, Task<bool>> take, CancellationToken cancellationToken)
    {
        var type = route.Descriptor.InputType;
        var field = type.FindFieldByName(route.Call.BodyField);
        while (true)
        {
            var read = await body.ReadAsync(cancellationToken);
            var piece = read.Buffer.Slice(0, Math.Min(read.Buffer.Length, PieceSize));
            var last = read.IsCompleted && piece.Length == read.Buffer.Length;
            var message = piece.IsEmpty ? null : Message(type, field, piece);
            body.AdvanceTo(piece.End);
            if ((message is not null && !await take(message)) || (last && !await take(null)) || last)
            {
                return;
            }
        }
    }

    private static async Task<bool> NextAsync(HttpContext context, AsyncServerStreamingCall<byte[]> call)
    {
        try
        {
            return await call.ResponseStream.MoveNext(context.RequestAborted);
        }
        catch (RpcException) when (context.Response.HasStarted)
        {
            return false;
        }
    }

    private static byte[] Message(MessageDescriptor type, FieldDescriptor field, ReadOnlySequence<byte> piece)
    {
        var message = JsonMessageReader.Create(type);
        field.Accessor.SetValue(message, UnsafeByteOperations.UnsafeWrap(piece.ToArray()));
        return message.ToByteArray();
    }

    private static long Length(IMessage request, FieldDescriptor size, IMessage first)
    {
        var rest = Math.Max(0, (long)size.Accessor.GetValue(first) - Number(request, "offset"));
        return Number(request, "length") is > 0 and var length ? Math.Min(rest, length) : rest;
    }

    private static long Number(IMessage request, string field) => (long)request.Descriptor.FindFieldByName(field).Accessor.GetValue(request);
}
