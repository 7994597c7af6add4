using System.Collections;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;

namespace Corral.Gateway.Transcoding;

/// <summary>Writes each message in its own dialect. Both have int64 as numbers and lower-case enums.</summary>
/// <remarks>boxes: lowerCamelCase, explicit nulls, epoch milliseconds. leap: snake_case, nothing for what is not set, RFC 3339.</remarks>
/// <param name="json">Where to.</param>
/// <param name="socketOrigin">What WebSockets' addresses begin with, such as <c>wss://sandboxes.example</c>.</param>
/// <param name="later">Takes the long values, which are left out here; null to have them written at once.</param>
internal sealed class JsonMessageWriter(Utf8JsonWriter json, string socketOrigin, List<LongValue>? later = null)
{
    private const string Rfc3339 = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";

    public void Write(IMessage message)
    {
        // Of directories in directories there may be more than the stack has room for: that is an error, and not the end of the process.
        RuntimeHelpers.EnsureSufficientExecutionStack();
        json.WriteStartObject();
        WriteFields(message);
        json.WriteEndObject();
    }

    private void WriteFields(IMessage message)
    {
        var shape = MessageShape.Of(message.Descriptor);
        foreach (var field in shape.Fields)
        {
            var descriptor = field.Descriptor;
            if (field.Options.Inline)
            {
                if (descriptor.Accessor.GetValue(message) is IMessage inner)
                {
                    WriteFields(inner);
                }

                continue;
            }

            if (IsAbsent(field, message))
            {
                if (!shape.Leap)
                {
                    json.WriteNull(field.Name);
                }

                continue;
            }

            json.WritePropertyName(field.Name);
            if (descriptor.IsMap)
            {
                WriteMap((IDictionary)descriptor.Accessor.GetValue(message), descriptor.MessageType.FindFieldByNumber(2), shape.Leap);
            }
            else if (descriptor.IsRepeated)
            {
                json.WriteStartArray();
                foreach (var item in (IList)descriptor.Accessor.GetValue(message))
                {
                    WriteValue(descriptor, item, shape.Leap, base64: false);
                }

                json.WriteEndArray();
            }
            else if (field.Options.SocketUrl)
            {
                json.WriteStringValue(socketOrigin + (string)descriptor.Accessor.GetValue(message));
            }
            else
            {
                WriteValue(descriptor, descriptor.Accessor.GetValue(message), shape.Leap, IsBase64(field, shape, message));
            }
        }
    }

    private static bool IsAbsent(JsonField field, IMessage message)
    {
        var accessor = field.Descriptor.Accessor;
        return field.Descriptor.HasPresence
            ? !accessor.HasValue(message)
            : field.Options.OmitEmpty && accessor.GetValue(message) is ICollection { Count: 0 } or "";
    }

    private static bool IsBase64(JsonField field, MessageShape shape, IMessage message) =>
        field.Options.Base64When.Length > 0
        && (bool)shape.Descriptor.FindFieldByName(field.Options.Base64When).Accessor.GetValue(message);

    private void WriteMap(IDictionary map, FieldDescriptor value, bool leap)
    {
        json.WriteStartObject();
        foreach (DictionaryEntry entry in map)
        {
            json.WritePropertyName((string)entry.Key);
            WriteValue(value, entry.Value!, leap, base64: false);
        }

        json.WriteEndObject();
    }

    private void WriteValue(FieldDescriptor field, object value, bool leap, bool base64)
    {
        switch (value)
        {
            case string { Length: >= LongValue.Least } or ByteString { Length: >= LongValue.Least } when later is not null:
                json.WriteStringValue("");
                later.Add(new LongValue(json.BytesCommitted + json.BytesPending, value, base64));
                break;
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
            case Timestamp time when leap:
                json.WriteStringValue(time.ToDateTime().ToString(Rfc3339, CultureInfo.InvariantCulture));
                break;
            case Timestamp time:
                json.WriteNumberValue(time.ToDateTimeOffset().ToUnixTimeMilliseconds());
                break;
            case IMessage message:
                Write(message);
                break;
            default:
                json.WriteStringValue(EnumText(field.EnumType, Convert.ToInt32(value, CultureInfo.InvariantCulture)));
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
