using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Corral.Termination.Tests;

/// <summary>A real web server on the loopback; what it does is up to each test.</summary>
internal sealed class Origin : IAsyncDisposable
{
    private readonly WebApplication _app;

    private Origin(WebApplication app, int port) => (_app, Port) = (app, port);

    public int Port { get; }

    public static Task<Origin> TlsAsync(RequestDelegate handler, params string[] names) => TlsAsync(TestAuthority.Shared.Sign(expired: false, names), handler);

    public static Task<Origin> TlsAsync(X509Certificate2 certificate, RequestDelegate handler, HttpProtocols protocols = HttpProtocols.Http1AndHttp2) =>
        StartAsync(listen =>
        {
            listen.Protocols = protocols;
            listen.UseHttps(certificate);
        }, handler);

    public static Task<Origin> PlainAsync(RequestDelegate handler, HttpProtocols protocols = HttpProtocols.Http1) =>
        StartAsync(listen => listen.Protocols = protocols, handler);

    /// <summary>Answers with the request as it came: its line, its headers, an empty line and its body.</summary>
    public static async Task EchoAsync(HttpContext context)
    {
        var text = new StringBuilder($"{context.Request.Method} {context.Features.Get<IHttpRequestFeature>()!.RawTarget} {context.Request.Protocol}\n");
        foreach (var (name, values) in context.Request.Headers)
        {
            foreach (var value in values) text.Append(name.ToLowerInvariant()).Append(": ").Append(value).Append('\n');
        }

        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        var answer = Encoding.Latin1.GetBytes(text.Append('\n').ToString()).Concat(body.ToArray()).ToArray();
        context.Response.ContentLength = answer.Length;
        await context.Response.Body.WriteAsync(answer);
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync(new CancellationToken(canceled: true));
        await _app.DisposeAsync();
    }

    private static async Task<Origin> StartAsync(Action<ListenOptions> configure, RequestDelegate handler)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.RequestHeaderEncodingSelector = _ => Encoding.Latin1;
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Limits.MaxRequestHeadersTotalSize = 256 * 1024;
            kestrel.Limits.MaxRequestLineSize = 128 * 1024;
            kestrel.Listen(IPAddress.Loopback, 0, configure);
        });
        var app = builder.Build();
        app.UseWebSockets();
        app.Run(handler);
        await app.StartAsync();
        return new Origin(app, new Uri(app.Urls.First()).Port);
    }
}
