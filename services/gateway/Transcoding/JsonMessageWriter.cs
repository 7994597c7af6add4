using System.Collections;
using System.Text.Json;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;

namespace Corral.Gateway.Transcoding;

/// <summary>Writes messages in the boxes dialect: lowerCamelCase, explicit nulls, epoch milliseconds, int64 as numbers, lower-case enums.</summary>
internal static class JsonMessageWriter
{
    public static void Write(Utf8JsonWriter json, IMessage message)
    {
        json.WriteStartObject();
        WriteFields(json, message);
        json.WriteEndObject();
    }

    private static void WriteFields(Utf8JsonWriter json, IMessage message)
    {
        var shape = MessageShape.Of(message.Descriptor);
        foreach (var field in shape.Fields)
        {
            var descriptor = field.Descriptor;
            if (field.Options.Inline)
            {
                if (descriptor.Accessor.GetValue(message) is IMessage inner)
                {
                    WriteFields(json, inner);
                }

                continue;
            }

            json.WritePropertyName(field.Name);
            if (descriptor.HasPresence && !descriptor.Accessor.HasValue(message))
            {
                json.WriteNullValue();
            }
            else if (descriptor.IsMap)
            {
                WriteMap(json, (IDictionary)descriptor.Accessor.GetValue(message), descriptor.MessageType.FindFieldByNumber(2));
            }
            else if (descriptor.IsRepeated)
            {
                json.WriteStartArray();
                foreach (var item in (IList)descriptor.Accessor.GetValue(message))
                {
                    WriteValue(json, descriptor, item, base64: false);
                }

                json.WriteEndArray();
            }
            else
            {
                WriteValue(json, descriptor, descriptor.Accessor.GetValue(message), IsBase64(field, shape, message));
            }
        }
    }

    private static bool IsBase64(JsonField field, MessageShape shape, IMessage message) =>
        field.Options.Base64When.Length > 0
        && (bool)shape.Descriptor.FindFieldByName(field.Options.Base64When).Accessor.GetValue(message);

    private static void WriteMap(Utf8JsonWriter json, IDictionary map, FieldDescriptor value)
    {
        json.WriteStartObject();
        foreach (DictionaryEntry entry in map)
        {
            json.WritePropertyName((string)entry.Key);
            WriteValue(json, value, entry.Value!, base64: false);
        }

        json.WriteEndObject();
    }

    private static void WriteValue(Utf8JsonWriter json, FieldDescriptor field, object value, bool base64)
    {
        switch (value)
        {
            case string text:
                json.WriteStringValue(text);
                break;
            case ByteString bytes when base64:
                json.WriteBase64StringValue(bytes.Span);
                break;
            case ByteString bytes:
                // Invalid UTF-8 becomes U+FFFD.
                json.WriteStringValue(bytes.ToStringUtf8());
                break;
            case bool flag:
                json.WriteBooleanValue(flag);
                break;
            case int number:
                json.WriteNumberValue(number);
                break;
            case long number:
                json.WriteNumberValue(number);
                break;
            case double number when double.IsFinite(number):
                json.WriteNumberValue(number);
                break;
            case double:
                json.WriteNullValue();
                break;
            case Timestamp time:
                json.WriteNumberValue(time.ToDateTimeOffset().ToUnixTimeMilliseconds());
                break;
            case IMessage message:
                Write(json, message);
                break;
            default:
                json.WriteStringValue(EnumText(field.EnumType, Convert.ToInt32(value, System.Globalization.CultureInfo.InvariantCulture)));
                break;
        }
    }

    // SANDBOX_STATE_READY of SandboxState is "ready".
    private static string EnumText(EnumDescriptor type, int number)
    {
        var name = type.FindValueByNumber(number)?.Name ?? type.FindValueByNumber(0).Name;
        var prefix = string.Concat(type.Name.Select((c, i) => i > 0 && char.IsUpper(c) ? "_" + c : c.ToString())).ToUpperInvariant() + "_";
        return (name.StartsWith(prefix, StringComparison.Ordinal) ? name[prefix.Length..] : name).ToLowerInvariant();
    }
}
