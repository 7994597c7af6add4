using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Logging;

namespace Corral.Clients.Tests.Lab;

/// <summary>A web server out there, of all the kinds that programs in sandboxes speak with. It keeps every request.</summary>
internal sealed class Site : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly Socket[] _listeners;
    private readonly Channel<int> _eventsSeen = Channel.CreateUnbounded<int>();

    private Site(WebApplication app, params Socket[] listeners)
    {
        (_app, _listeners) = (app, listeners);
        _app.Use(KeepAsync);
        _app.UseWebSockets();
        _app.MapGet("/hello", (HttpContext context) => $"hello over {context.Request.Protocol}\n");
        _app.MapGet("/events", SendEventsAsync);
        _app.MapPost("/events/seen", () => _eventsSeen.Writer.TryWrite(1));
        _app.Map("/socket", EchoAsync);
        _app.MapGrpcService<EchoService>();
    }

    public ConcurrentQueue<SiteRequest> Seen { get; } = [];

    /// <summary>Begins on ports 80 and 443 of every address there, with the files of a directory besides.</summary>
    public static async Task<Site> StartAsync(Internet internet, ServerCertificates certificates, Mirror mirror)
    {
        var plain = await internet.Space.ListenAsync(new IPEndPoint(IPAddress.IPv6Any, 80));
        var secured = await internet.Space.ListenAsync(new IPEndPoint(IPAddress.IPv6Any, 443));
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddGrpc();
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel =>
        {
            kestrel.ListenHandle((ulong)plain.Handle, listen => listen.Protocols = HttpProtocols.Http1);
            kestrel.ListenHandle((ulong)secured.Handle, listen => listen.UseHttps(certificates.Server));
        });
        var site = new Site(builder.Build(), plain, secured);
        site._app.MapGet("/npm/" + Mirror.Package, (HttpContext context) => mirror.Describe(new Uri($"{context.Request.Scheme}://{context.Request.Host}")));
        var files = new PhysicalFileProvider(mirror.Directory);
        site._app.UseDefaultFiles(new DefaultFilesOptions { FileProvider = files });
        site._app.UseStaticFiles(new StaticFileOptions { FileProvider = files, ServeUnknownFileTypes = true });
        await site._app.StartAsync();
        return site;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
        foreach (var listener in _listeners) listener.Dispose();
    }

    private Task KeepAsync(HttpContext context, RequestDelegate next)
    {
        Seen.Enqueue(new SiteRequest(
            context.Request.Host.Value!, context.Request.Path, context.Request.Protocol, context.Request.Headers.Authorization.FirstOrDefault()));
        return next(context);
    }

    // An event is sent when the one before it was seen: a stream that is held back anywhere stands still.
    private async Task SendEventsAsync(HttpContext context)
    {
        context.Response.ContentType = "text/event-stream";
        context.Features.Get<IHttpResponseBodyFeature>()!.DisableBuffering();
        for (var number = 1; number <= 3; number++)
        {
            await context.Response.WriteAsync($"data: {number}\n\n", context.RequestAborted);
            await context.Response.Body.FlushAsync(context.RequestAborted);
            await _eventsSeen.Reader.ReadAsync(context.RequestAborted);
        }
    }

    private static async Task EchoAsync(HttpContext context)
    {
        using var socket = await context.WebSockets.AcceptWebSocketAsync();
        var buffer = new byte[1024];
        while (await socket.ReceiveAsync(buffer, context.RequestAborted) is { MessageType: not WebSocketMessageType.Close } message)
        {
            await socket.SendAsync(buffer.AsMemory(0, message.Count), message.MessageType, message.EndOfMessage, context.RequestAborted);
        }

        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "bye", context.RequestAborted);
    }
}
