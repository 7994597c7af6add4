using System.Text;
using Corral.Gateway.Routing;
using Corral.Gateway.Transcoding;
using Xunit;

namespace Corral.Gateway.Tests;

/// <summary>Bodies that nobody means: they are read, or refused, and nothing else.</summary>
public sealed class FuzzTests
{
    private const int Bodies = 40_000;

    private static readonly string[] Scraps =
    [
        "{", "}", "[", "]", ":", ",", "\"", "\\", "\\u", "\\ud800", "\\udc00", "\0", " ", "null", "true", "false", "0", "-", "1e", "1e999", "1e-999", "-0", "0.1",
        "9223372036854775807", "9223372036854775808", "99999999999999999999999999999999", "\"\"", "{}", "[]", "[[]]", "{\"\":{}}", "\u2028", "😀", "\ufeff", "/*", "//",
        "\"id\":", "\"env\":", "\"args\":", "\"content\":", "\"encoding\":\"base64\"", "\"encoding\":1", "\"timeout\":", "\"capabilities\":", "\"viewport\":", "\"waitMs\":",
    ];

    [Fact]
    public void WhateverABodyIs_ItIsReadOrRefusedAsARequest()
    {
        var random = new Random(20260101);
        var types = new RouteTable().All.Where(r => r.HasBody).Select(r => r.Descriptor.InputType).ToList();
        var read = 0;
        for (var i = 0; i < Bodies; i++)
        {
            var type = types[random.Next(types.Count)];
            var body = random.Next(4) == 0 ? Noise(random) : Mutated(random, Plausible(random, type, depth: 3));
            try
            {
                JsonMessageReader.ReadBody(type, body);
                read++;
            }
            catch (RequestException exception)
            {
                Assert.Equal(400, exception.Status);
                Assert.InRange(exception.Message.Length, 1, 250);
            }
            catch (Exception exception)
            {
                Assert.Fail($"{type.Name} from {Convert.ToBase64String(body)}: {exception}");
            }
        }

        // Bodies that are all refused at the first byte would show nothing.
        Assert.InRange(read, Bodies / 20, Bodies);
    }

    private static byte[] Noise(Random random)
    {
        var text = new StringBuilder(random.Next(2) == 0 ? "{" : "");
        for (var i = random.Next(12); i > 0; i--)
        {
            text.Append(Scraps[random.Next(Scraps.Length)]);
        }

        return Encoding.UTF8.GetBytes(text.ToString());
    }

    private static string Plausible(Random random, Google.Protobuf.Reflection.MessageDescriptor type, int depth)
    {
        var members = MessageShape.Of(type).Fields.Where(_ => random.Next(2) == 0).Select(field => field.Descriptor switch
        {
            _ when random.Next(12) == 0 => $"\"{field.Name}\":{Scraps[random.Next(Scraps.Length)]}",
            { IsMap: true } => $"\"{field.Name}\":{{\"A\":\"1\"}}",
            { IsRepeated: true } => $"\"{field.Name}\":[\"a\",\"b\"]",
            { FieldType: Google.Protobuf.Reflection.FieldType.Message } message =>
                depth == 0 ? $"\"{field.Name}\":null" : $"\"{field.Name}\":{Plausible(random, message.MessageType, depth - 1)}",
            { FieldType: Google.Protobuf.Reflection.FieldType.Bool } => $"\"{field.Name}\":true",
            { FieldType: Google.Protobuf.Reflection.FieldType.Int32 or Google.Protobuf.Reflection.FieldType.Int64 } => $"\"{field.Name}\":{random.Next()}",
            _ => $"\"{field.Name}\":\"aGk=\"",
        });
        return "{" + string.Join(',', members) + "}";
    }

    private static byte[] Mutated(Random random, string json)
    {
        var body = Encoding.UTF8.GetBytes(json).ToList();
        for (var i = random.Next(4); i > 0 && body.Count > 0; i--)
        {
            var at = random.Next(body.Count);
            switch (random.Next(4))
            {
                case 0:
                    body[at] = (byte)random.Next(256);
                    break;
                case 1:
                    body.RemoveAt(at);
                    break;
                case 2:
                    body.InsertRange(at, Encoding.UTF8.GetBytes(Scraps[random.Next(Scraps.Length)]));
                    break;
                default:
                    body.RemoveRange(at, body.Count - at);
                    break;
            }
        }

        return [.. body];
    }
}
