using System.Buffers;
using System.Text;
using System.Text.Json;
using Corral.Gateway.Transcoding;
using Google.Protobuf;
using Xunit;

namespace Corral.Gateway.Tests;

/// <summary>Reads and writes messages as the gateway does.</summary>
internal static class Json
{
    public static T Read<T>(string json)
        where T : IMessage<T>, new() => Read<T>(Encoding.UTF8.GetBytes(json));

    public static T Read<T>(byte[] json)
        where T : IMessage<T>, new() => (T)JsonMessageReader.ReadBody(new T().Descriptor, json);

    public static string Refused<T>(string json)
        where T : IMessage<T>, new() => Refused<T>(Encoding.UTF8.GetBytes(json));

    public static string Refused<T>(byte[] json)
        where T : IMessage<T>, new()
    {
        var refused = Assert.Throws<RequestException>(() => Read<T>(json));
        Assert.Equal(400, refused.Status);
        return refused.Message;
    }

    public static string Write(IMessage message)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            new JsonMessageWriter(json, "wss://corral.example").Write(message);
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }
}
