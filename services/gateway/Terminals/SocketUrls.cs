using System.Collections.Concurrent;
using Corral.Dialect.V1;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Microsoft.Extensions.Options;

namespace Corral.Gateway.Terminals;

/// <summary>Makes WebSockets' addresses of the paths that services answer.</summary>
internal static class SocketUrls
{
    private static readonly ConcurrentDictionary<MessageDescriptor, FieldDescriptor?> Fields = new();

    /// <summary>Puts the scheme and the host by which the client came before the path that a message holds, if it holds one.</summary>
    public static void Complete(HttpContext context, IMessage message)
    {
        if (Fields.GetOrAdd(message.Descriptor, FieldOf) is not { } field)
        {
            return;
        }

        var options = context.RequestServices.GetRequiredService<IOptions<TerminalOptions>>().Value;
        var came = options.PublicUrl.Length > 0 ? options.PublicUrl : $"{SchemeOf(context.Request)}://{context.Request.Host}";
        field.Accessor.SetValue(message, string.Concat("ws", came.AsSpan("http".Length), (string)field.Accessor.GetValue(message)));
    }

    private static FieldDescriptor? FieldOf(MessageDescriptor message) =>
        message.Fields.InDeclarationOrder().FirstOrDefault(field => field.GetOptions()?.GetExtension(DialectExtensions.Field)?.SocketUrl == true);

    // A load balancer that ends TLS says so.
    private static string SchemeOf(HttpRequest request) =>
        request.IsHttps || request.Headers["X-Forwarded-Proto"].ToString().Equals("https", StringComparison.OrdinalIgnoreCase) ? "https" : "http";
}
