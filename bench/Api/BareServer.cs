using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Corral.Bench.Api;

/// <summary>Kestrel alone, answering the bytes that the gateway answered: the bench runs itself for that, <c>api-bare PORT FILE</c>.</summary>
internal static class BareServer
{
    /// <summary>Serves the answers of a file, an object of path → [content type, body], until it is killed.</summary>
    public static Task ServeAsync(int port, string file)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenLocalhost(port));
        var app = builder.Build();
        foreach (var (path, answer) in JsonNode.Parse(File.ReadAllText(file))!.AsObject())
        {
            var (type, body) = ((string)answer![0]!, System.Text.Encoding.UTF8.GetBytes((string)answer[1]!));
            app.MapGet(path, async (HttpContext context) =>
            {
                context.Response.Headers["X-Request-Id"] = context.TraceIdentifier;
                context.Response.ContentType = type;
                context.Response.ContentLength = body.Length;
                await context.Response.Body.WriteAsync(body);
            });
        }

        return app.RunAsync();
    }
}
