using Corral.Api.V1;
using Corral.Gateway.Transcoding;
using FsCheck;
using FsCheck.Fluent;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Xunit;

namespace Corral.Gateway.Tests;

/// <summary>Whatever a request holds comes back from its JSON as it was.</summary>
public sealed class RoundTripTests
{
    private static readonly Config Settings = Config.QuickThrowOnFailure.WithMaxTest(500);

    [Fact]
    public void ARequest_ComesBackFromItsJson()
    {
        foreach (var type in new[] { CreateRequest.Descriptor, LaunchRequest.Descriptor, RunRequest.Descriptor, RunCodeRequest.Descriptor, StreamRequest.Descriptor, MoveRequest.Descriptor, DeleteRequest.Descriptor })
        {
            Prop.ForAll(Messages(type, depth: 4).ToArbitrary(), message => Assert.Equal(message, JsonMessageReader.ReadBody(type, System.Text.Encoding.UTF8.GetBytes(Json.Write(message))))).Check(Settings);
        }
    }

    [Fact]
    public void AnyBytes_ComeBackFromBase64() =>
        Prop.ForAll<byte[]>(bytes => Assert.Equal(
            bytes, Json.Read<WriteRequest>($"{{\"content\":\"{Convert.ToBase64String(bytes)}\",\"encoding\":\"base64\"}}").Content.ToByteArray())).Check(Settings);

    [Fact]
    public void AnyText_ComesBackFromContent() =>
        Prop.ForAll(Texts().ToArbitrary(), text => Assert.Equal(
            text, Json.Read<WriteRequest>($"{{\"content\":{System.Text.Json.JsonSerializer.Serialize(text)}}}").Content.ToStringUtf8())).Check(Settings);

    [Fact]
    public void AnyInt64_ComesBack() =>
        Prop.ForAll<long>(number => Assert.Equal(number, Json.Read<CreateRequest>($"{{\"maxDurationMs\":{number}}}").MaxDurationMs)).Check(Settings);

    // Messages of a type with any of its visible fields set.
    private static Gen<IMessage> Messages(MessageDescriptor type, int depth)
    {
        var fields = MessageShape.Of(type).Fields.Select(f => f.Descriptor).ToList();
        return Gen.ArrayOf(ArbMap.Default.GeneratorFor<bool>(), fields.Count).SelectMany(chosen =>
            fields.Where((field, i) => chosen[i] && (field.FieldType != FieldType.Message || field.IsMap || depth > 0))
                .Aggregate(
                    Gen.Fresh(() => type.Parser.ParseFrom(ByteString.Empty)),
                    (messages, field) => messages.SelectMany(message => Values(field, depth).Select(value => With(message, field, value)))));
    }

    private static Gen<object> Values(FieldDescriptor field, int depth)
    {
        if (field.IsMap)
        {
            return Gen.ListOf(Texts().Zip(Texts())).Select(pairs => (object)pairs.DistinctBy(p => p.Item1).ToDictionary(p => p.Item1, p => p.Item2));
        }

        var one = field.FieldType == FieldType.Message ? Messages(field.MessageType, depth - 1).Select(m => (object)m) : Values(field.FieldType);
        return field.IsRepeated ? Gen.ListOf(one).Select(items => (object)items.ToList()) : one;
    }

    private static Gen<object> Values(FieldType type) => type switch
    {
        FieldType.String => Texts().Select(t => (object)t),
        FieldType.Bytes => Texts().Select(t => (object)ByteString.CopyFromUtf8(t)),
        FieldType.Bool => ArbMap.Default.GeneratorFor<bool>().Select(b => (object)b),
        FieldType.Int32 => ArbMap.Default.GeneratorFor<int>().Select(n => (object)n),
        FieldType.Int64 => ArbMap.Default.GeneratorFor<long>().Select(n => (object)n),
        _ => throw new NotSupportedException($"No generator for {type}."),
    };

    // Any valid Unicode, NUL and quotes and characters beyond the basic plane among it.
    private static Gen<string> Texts() => Gen.ListOf(Gen.OneOf(
        Gen.Choose(0, 0x7f), Gen.Choose(0x80, 0xd7ff), Gen.Choose(0xe000, 0xffff), Gen.Choose(0x1_0000, 0x10_ffff)).Select(char.ConvertFromUtf32)).Select(string.Concat);

    private static IMessage With(IMessage message, FieldDescriptor field, object value)
    {
        switch (value)
        {
            case Dictionary<string, string> map:
                foreach (var (name, text) in map)
                {
                    ((System.Collections.IDictionary)field.Accessor.GetValue(message))[name] = text;
                }

                break;
            case List<object> items:
                foreach (var item in items)
                {
                    ((System.Collections.IList)field.Accessor.GetValue(message)).Add(item);
                }

                break;
            default:
                field.Accessor.SetValue(message, value);
                break;
        }

        return message;
    }
}
