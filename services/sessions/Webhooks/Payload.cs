using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Corral.Sessions.Events;

namespace Corral.Sessions.Webhooks;

/// <summary>What a webhook is sent: the event as <c>GET /v1/events</c> shows it, with the type and the timestamp where Standard Webhooks has them.</summary>
internal static class Payload
{
    public static byte[] Of(StoredEvent happened)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("id", happened.Id);
            json.WriteString("type", happened.Type);
            json.WriteString("timestamp", happened.At.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
            WriteOrNull(json, "sequence", happened.Sequence > 0, () => json.WriteNumberValue(happened.Sequence));
            WriteOrNull(json, "sandboxId", happened.SandboxId.Length > 0, () => json.WriteStringValue(happened.SandboxId));
            json.WritePropertyName("data");
            json.WriteRawValue(happened.Data);
            json.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    private static void WriteOrNull(Utf8JsonWriter json, string name, bool isThere, Action write)
    {
        json.WritePropertyName(name);
        if (isThere)
        {
            write();
        }
        else
        {
            json.WriteNullValue();
        }
    }
}
