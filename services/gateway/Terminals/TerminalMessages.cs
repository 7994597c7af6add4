using System.Text.Json;
using Corral.Api.V1;

namespace Corral.Gateway.Terminals;

/// <summary>The text frames of terminals' WebSockets.</summary>
internal static class TerminalMessages
{
    private const int MaxSide = 1000;

    /// <summary>What a client sent; null when it is none of what clients may send.</summary>
    public static ConnectTerminalRequest? Read(ReadOnlySpan<byte> text)
    {
        try
        {
            var reader = new Utf8JsonReader(text);
            using var document = JsonDocument.ParseValue(ref reader);
            return document.RootElement.ValueKind == JsonValueKind.Object
                && document.RootElement.TryGetProperty("type", out var type) && type.ValueKind == JsonValueKind.String && type.ValueEquals("resize")
                && Side(document.RootElement, "cols") is { } columns && Side(document.RootElement, "rows") is { } rows
                ? new ConnectTerminalRequest { Resize = new TerminalSize { Columns = columns, Rows = rows } }
                : null;
        }
        catch (Exception problem) when (problem is JsonException or InvalidOperationException)
        {
            // The latter: an escaped half of a character, which no name and no text can be compared with.
            return null;
        }
    }

    /// <summary>What a client is told.</summary>
    public static ReadOnlyMemory<byte> Write(ConnectTerminalResponse step)
    {
        using var text = new MemoryStream();
        using (var json = new Utf8JsonWriter(text))
        {
            json.WriteStartObject();
            json.WriteString("type", step.EventCase.ToString().ToLowerInvariant());
            Write(json, step);
            json.WriteEndObject();
        }

        return text.ToArray();
    }

    private static void Write(Utf8JsonWriter json, ConnectTerminalResponse step)
    {
        switch (step)
        {
            case { Attached: { } attached }:
                json.WriteString("terminal", attached.Terminal);
                json.WriteString("session", attached.Session);
                json.WriteNumber("offset", attached.Offset);
                Write(json, attached.Size);
                break;
            case { Skipped: { } skipped }:
                json.WriteNumber("bytes", skipped.Bytes);
                json.WriteNumber("offset", skipped.Offset);
                break;
            case { Resized: { } size }:
                Write(json, size);
                break;
            case { Exit: { } exit }:
                json.WriteNumber("exitCode", exit.ExitCode);
                break;
        }
    }

    private static void Write(Utf8JsonWriter json, TerminalSize size)
    {
        json.WriteNumber("cols", size.Columns);
        json.WriteNumber("rows", size.Rows);
    }

    private static int? Side(JsonElement resize, string name) =>
        resize.TryGetProperty(name, out var side) && side.ValueKind == JsonValueKind.Number && side.TryGetInt32(out var number) && number is >= 1 and <= MaxSide ? number : null;
}
