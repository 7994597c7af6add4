using System.Globalization;
using System.Text.Json;
using Corral.Gateway.Leap;

namespace Corral.Gateway.Errors;

/// <summary>Writes errors in the shape of the dialect that the path belongs to.</summary>
internal static class ErrorBody
{
    private static readonly string[] LeapPrefixes = ["/v1/sandbox/", "/v1/snapshot", "/v1/template"];

    public static async Task WriteAsync(HttpContext context, ApiError error)
    {
        context.Response.StatusCode = error.Status;
        context.Response.ContentType = "application/json";
        if (error.RetryAfter is { } retry)
        {
            context.Response.Headers.RetryAfter = Math.Max(1, (int)Math.Ceiling(retry.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        }

        // The answer that failed may have said how long it would be.
        var body = Render(context.Request.Path, error, LeapList.IsAsked(context.Request));
        context.Response.ContentLength = body.Length;
        await context.Response.Body.WriteAsync(body, context.RequestAborted);
    }

    /// <param name="path">Tells the dialect.</param>
    /// <param name="error">What is told.</param>
    /// <param name="inBoth">Whether it is told in the other dialect, too.</param>
    public static byte[] Render(PathString path, ApiError error, bool inBoth = false)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            var leap = IsLeap(path);
            if (!leap)
            {
                WriteBoxes(json, error);
            }

            if (leap || inBoth)
            {
                WriteLeap(json, error);
            }

            json.WriteEndObject();
        }

        return buffer.ToArray();
    }

    private static bool IsLeap(PathString path) =>
        path == "/v1/sandbox" || Array.Exists(LeapPrefixes, prefix => path.Value!.StartsWith(prefix, StringComparison.Ordinal));

    private static void WriteBoxes(Utf8JsonWriter json, ApiError error)
    {
        json.WriteString("error", error.Message);
        if (error.Code is not null)
        {
            json.WriteString("code", error.Code);
        }

        foreach (var (name, value) in error.Facts ?? new Dictionary<string, string>())
        {
            if (name is "error" or "code")
            {
                continue;
            }

            if (long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            {
                json.WriteNumber(name, number);
            }
            else
            {
                json.WriteString(name, value);
            }
        }
    }

    private static void WriteLeap(Utf8JsonWriter json, ApiError error)
    {
        json.WriteString("message", error.Fields is { Count: > 0 } ? "Invalid request" : error.Message);
        if (error.Fields is { Count: > 0 } fields)
        {
            json.WriteStartArray("errors");
            foreach (var field in fields)
            {
                json.WriteStartObject();
                json.WriteString("field", field.Field);
                json.WriteString("error", field.Description);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }
    }
}
