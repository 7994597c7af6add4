using System.Collections;
using System.Globalization;
using System.Text.Json;
using Corral.Hosting;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Corral.Gateway.Transcoding;

/// <summary>Turns a JSON body or a query into a request message, and refuses by name what does not fit.</summary>
/// <remarks>boxes: a field that is not known is refused, and the first problem is told. leap: it is ignored, and all problems are told.</remarks>
internal sealed class JsonMessageReader
{
    private const int MaxDepth = 64;
    private const int MaxExactDigits = 24;
    private const int MaxShown = 100;

    private static readonly JsonDocumentOptions Strict = new() { MaxDepth = MaxDepth };

    private readonly bool _leap;
    private readonly List<FieldViolation> _problems = [];

    private JsonMessageReader(MessageDescriptor descriptor) => _leap = MessageShape.Of(descriptor).Leap;

    public static IMessage ReadBody(MessageDescriptor descriptor, ReadOnlyMemory<byte> body)
    {
        var message = Create(descriptor);
        if (body.Length == 0)
        {
            return message;
        }

        try
        {
            using var document = JsonDocument.Parse(body, Strict);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
            {
                throw new RequestException("The body must be a JSON object");
            }

            var reader = new JsonMessageReader(descriptor);
            reader.ReadObject(message, document.RootElement, "");
            reader.Finish();
            return message;
        }
        catch (JsonException)
        {
            throw new RequestException("The body is not valid JSON");
        }
        catch (InvalidOperationException)
        {
            // A string that is not valid Unicode.
            throw new RequestException("The body is not valid JSON");
        }
    }

    public static IMessage ReadQuery(MessageDescriptor descriptor, IQueryCollection query, Func<string, bool> known)
    {
        var message = Create(descriptor);
        var shape = MessageShape.Of(descriptor);
        var reader = new JsonMessageReader(descriptor);
        foreach (var (name, values) in query)
        {
            if (!shape.ByName.TryGetValue(name, out var field))
            {
                if (known(name) || reader._leap)
                {
                    continue;
                }

                throw new RequestException($"Unknown query parameter: {Shown(name)}");
            }

            reader.Try(() =>
            {
                if (values.Count != 1)
                {
                    throw new RequestException($"{Shown(name)} must be given once", fields: [new FieldViolation(Shown(name), "must be given once")]);
                }

                field.Descriptor.Accessor.SetValue(message, ReadText(field, values[0] ?? ""));
            });
        }

        reader.Finish();
        return message;
    }

    public static IMessage Create(MessageDescriptor descriptor) => descriptor.Parser.ParseFrom(ByteString.Empty);

    private void Finish()
    {
        if (_problems.Count > 0)
        {
            throw new RequestException("Invalid request", fields: _problems);
        }
    }

    private void Try(Action read)
    {
        try
        {
            read();
        }
        catch (RequestException exception) when (_leap && exception.Fields.Count > 0)
        {
            _problems.AddRange(exception.Fields);
        }
    }

    private void ReadObject(IMessage message, JsonElement json, string path)
    {
        var shape = MessageShape.Of(message.Descriptor);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var property in json.EnumerateObject())
        {
            var name = path + property.Name;
            Try(() =>
            {
                if (!seen.Add(shape.ByName.TryGetValue(property.Name, out var known) ? known.Name : property.Name))
                {
                    throw GivenTwice(name);
                }

                if (Find(message, shape, property.Name) is (var target, var field))
                {
                    if (property.Value.ValueKind != JsonValueKind.Null)
                    {
                        Set(target, field, property.Value, name);
                    }
                }
                else if (!_leap)
                {
                    throw new RequestException($"Unknown field: {Shown(name)}");
                }
            });
        }

        DecodeBase64(message, shape, path);
    }

    private static (IMessage, JsonField)? Find(IMessage message, MessageShape shape, string name)
    {
        if (shape.ByName.TryGetValue(name, out var field))
        {
            return (message, field);
        }

        foreach (var inline in shape.Inline)
        {
            var inner = (IMessage?)inline.Descriptor.Accessor.GetValue(message) ?? Create(inline.Descriptor.MessageType);
            inline.Descriptor.Accessor.SetValue(message, inner);
            if (Find(inner, MessageShape.Of(inner.Descriptor), name) is { } found)
            {
                return found;
            }
        }

        return null;
    }

    private void Set(IMessage message, JsonField field, JsonElement json, string path)
    {
        var descriptor = field.Descriptor;
        if (descriptor.IsMap)
        {
            ReadMap((IDictionary)descriptor.Accessor.GetValue(message), descriptor, json, path);
        }
        else if (descriptor.IsRepeated)
        {
            var list = (IList)descriptor.Accessor.GetValue(message);
            foreach (var item in Expect(json, JsonValueKind.Array, path, "an array").EnumerateArray())
            {
                list.Add(ReadValue(descriptor, item, $"{path}[{list.Count}]"));
            }
        }
        else
        {
            descriptor.Accessor.SetValue(message, ReadValue(descriptor, json, path));
        }
    }

    private void ReadMap(IDictionary map, FieldDescriptor descriptor, JsonElement json, string path)
    {
        var value = descriptor.MessageType.FindFieldByNumber(2);
        foreach (var property in Expect(json, JsonValueKind.Object, path, "an object").EnumerateObject())
        {
            if (map.Contains(property.Name))
            {
                throw GivenTwice($"{path}.{property.Name}");
            }

            map[property.Name] = ReadValue(value, property.Value, $"{path}.{property.Name}");
        }
    }

    private object ReadValue(FieldDescriptor field, JsonElement json, string path)
    {
        switch (field.FieldType)
        {
            case FieldType.String:
                return Expect(json, JsonValueKind.String, path, "a string").GetString()!;
            case FieldType.Bytes:
                return ByteString.CopyFromUtf8(Expect(json, JsonValueKind.String, path, "a string").GetString()!);
            case FieldType.Bool:
                return json.ValueKind is JsonValueKind.True or JsonValueKind.False ? json.GetBoolean() : throw Wrong(path, "true or false");
            case FieldType.Int32:
                return Whole(json, path) is >= int.MinValue and <= int.MaxValue and var small ? (int)small : throw Wrong(path, "a whole number");
            case FieldType.Int64:
                return Whole(json, path);
            case FieldType.Double:
                return json.ValueKind == JsonValueKind.Number && json.TryGetDouble(out var real) && double.IsFinite(real) ? real : throw Wrong(path, "a number");
            case FieldType.Message:
                var inner = Create(field.MessageType);
                ReadObject(inner, Expect(json, JsonValueKind.Object, path, "an object"), path + ".");
                return inner;
            default:
                throw Wrong(path, "absent: it cannot be set");
        }
    }

    // 60000, and as some languages write it: 60000.0 or 6e4.
    private static long Whole(JsonElement json, string path)
    {
        if (json.ValueKind == JsonValueKind.Number)
        {
            if (json.TryGetInt64(out var plain))
            {
                return plain;
            }

            // Longer ones, and ever smaller ones, would be rounded to what they are not.
            var text = json.GetRawText();
            if (text.Length <= MaxExactDigits && json.TryGetDecimal(out var number) && decimal.IsInteger(number)
                && number is >= long.MinValue and <= long.MaxValue && (number != 0 || !text.Split('e', 'E')[0].AsSpan().ContainsAnyInRange('1', '9')))
            {
                return (long)number;
            }
        }

        throw Wrong(path, "a whole number");
    }

    // A query knows only text.
    private static object ReadText(JsonField field, string text)
    {
        switch (field.Descriptor.FieldType)
        {
            case FieldType.String:
                return text;
            case FieldType.Bool:
                return text is "true" or "false" ? text == "true" : throw Wrong(field.Name, "true or false");
            case FieldType.Int32:
                return int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var small) ? small : throw Wrong(field.Name, "a whole number");
            case FieldType.Int64:
                return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var large) ? large : throw Wrong(field.Name, "a whole number");
            default:
                throw Wrong(field.Name, "absent: it cannot be set in a query");
        }
    }

    // Bytes whose sibling says "base64" were read as text so far.
    private static void DecodeBase64(IMessage message, MessageShape shape, string path)
    {
        foreach (var field in shape.Fields.Where(f => f.Options.EncodingField.Length > 0))
        {
            var given = !field.Descriptor.HasPresence || field.Descriptor.Accessor.HasValue(message);
            var encoding = (string)shape.Descriptor.FindFieldByName(field.Options.EncodingField).Accessor.GetValue(message);
            switch (encoding)
            {
                case "" or "utf-8":
                case "base64" when !given:
                    break;
                case "base64":
                    try
                    {
                        var text = ((ByteString)field.Descriptor.Accessor.GetValue(message)).ToStringUtf8();
                        field.Descriptor.Accessor.SetValue(message, ByteString.CopyFrom(Convert.FromBase64String(text)));
                    }
                    catch (FormatException)
                    {
                        throw Wrong(path + field.Name, "valid base64");
                    }

                    break;
                default:
                    throw Wrong(path + "encoding", "one of: utf-8, base64");
            }
        }
    }

    private static JsonElement Expect(JsonElement json, JsonValueKind kind, string path, string what) =>
        json.ValueKind == kind ? json : throw Wrong(path, what);

    private static RequestException GivenTwice(string path) => new($"{Shown(path)} is given twice", fields: [new FieldViolation(Shown(path), "is given twice")]);

    private static RequestException Wrong(string path, string what) =>
        new($"Invalid {Shown(path)}: must be {what}", fields: [new FieldViolation(Shown(path), $"must be {what}")]);

    // A name may be as long as the body: it is told, not repeated.
    private static string Shown(string name) => name.Length <= MaxShown ? name : name[..MaxShown] + "…";
}
