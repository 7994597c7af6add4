using System.Collections;
using System.Security.Cryptography;
using System.Text;
using Corral.Hosting;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;

namespace Corral.Gateway.Transcoding;

/// <summary>Messages as multipart/form-data (RFC 7578): a part a message, named by its field <c>path</c> and holding its field <c>content</c>.</summary>
internal static class MultipartForm
{
    private const string MediaType = "multipart/form-data";
    private const int MaxParts = 1000;

    /// <summary>Reads all parts into a request's repeated field.</summary>
    public static async Task<IMessage> ReadAsync(MessageDescriptor request, string field, string? contentType, ReadOnlyMemory<byte> body)
    {
        var message = JsonMessageReader.Create(request);
        var parts = (IList)request.FindFieldByName(field).Accessor.GetValue(message);
        var part = request.FindFieldByName(field).MessageType;
        try
        {
            var reader = new MultipartReader(BoundaryOf(contentType), new MemoryStream(body.ToArray(), writable: false));
            while (await reader.ReadNextSectionAsync() is { } section)
            {
                if (parts.Count == MaxParts)
                {
                    throw Malformed($"must have at most {MaxParts} parts");
                }

                var one = JsonMessageReader.Create(part);
                part.FindFieldByName("path").Accessor.SetValue(one, NameOf(section));
                part.FindFieldByName("content").Accessor.SetValue(one, await ByteString.FromStreamAsync(section.Body));
                parts.Add(one);
            }
        }
        catch (Exception exception) when (exception is IOException or InvalidDataException)
        {
            throw Malformed("is not valid multipart/form-data");
        }

        return message;
    }

    /// <summary>Writes a response's repeated field, and says the media type.</summary>
    public static (string ContentType, ReadOnlyMemory<byte> Body) Write(IMessage response, string field)
    {
        var boundary = "corral-" + RandomNumberGenerator.GetHexString(32, lowercase: true);
        var body = new MemoryStream();
        foreach (IMessage part in (IList)response.Descriptor.FindFieldByName(field).Accessor.GetValue(response))
        {
            var name = Escape((string)part.Descriptor.FindFieldByName("path").Accessor.GetValue(part));
            // A file name makes clients take the part for bytes.
            body.Write(Encoding.UTF8.GetBytes(
                $"--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{name[(name.LastIndexOf('/') + 1)..]}\"\r\nContent-Type: application/octet-stream\r\n\r\n"));
            ((ByteString)part.Descriptor.FindFieldByName("content").Accessor.GetValue(part)).WriteTo(body);
            body.Write("\r\n"u8);
        }

        body.Write(Encoding.ASCII.GetBytes($"--{boundary}--\r\n"));
        return ($"{MediaType}; boundary={boundary}", body.GetBuffer().AsMemory(0, (int)body.Length));
    }

    private static string BoundaryOf(string? contentType) =>
        MediaTypeHeaderValue.TryParse(contentType, out var type)
        && type.MediaType.Equals(MediaType, StringComparison.OrdinalIgnoreCase)
        && HeaderUtilities.RemoveQuotes(type.Boundary).ToString() is { Length: > 0 and <= 70 } boundary
            ? boundary
            : throw Malformed($"must be {MediaType} with a boundary");

    private static string NameOf(MultipartSection section) =>
        ContentDispositionHeaderValue.TryParse(section.ContentDisposition, out var disposition)
        && HeaderUtilities.RemoveQuotes(disposition.Name).ToString() is { Length: > 0 } name
            ? Unescape(name)
            : throw Malformed("must have a name for each part");

    // As browsers do, and only these three.
    private static string Escape(string name) => name
        .Replace("\"", "%22", StringComparison.Ordinal).Replace("\r", "%0D", StringComparison.Ordinal).Replace("\n", "%0A", StringComparison.Ordinal);

    private static string Unescape(string name) => name
        .Replace("%22", "\"", StringComparison.Ordinal).Replace("%0D", "\r", StringComparison.Ordinal).Replace("%0A", "\n", StringComparison.Ordinal);

    private static RequestException Malformed(string what) => new("Invalid request", fields: [new FieldViolation("body", what)]);
}
