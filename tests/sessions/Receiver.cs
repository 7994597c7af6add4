using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Corral.Sessions.Tests;

/// <summary>What a webhook was sent.</summary>
internal sealed record Received(string Id, string Timestamp, string Signature, string Body)
{
    public string Type => (string)JsonNode.Parse(Body)!["type"]!;

    public string? Sandbox => (string?)JsonNode.Parse(Body)!["sandboxId"];
}

/// <summary>A receiver of webhooks, on this host.</summary>
internal sealed class Receiver : IAsyncDisposable
{
    private readonly ConcurrentQueue<Received> _taken = [];
    private readonly ConcurrentQueue<Received> _asked = [];
    private WebApplication _app = null!;

    /// <summary>What it answered 2xx to, in order.</summary>
    public IReadOnlyList<Received> Taken => [.. _taken];

    /// <summary>All that it was sent, in order.</summary>
    public IReadOnlyList<Received> Asked => [.. _asked];

    /// <summary>What it answers; a task, because it may take its time.</summary>
    public Func<Received, Task<HttpStatusCode>> Answer { get; set; } = _ => Task.FromResult(HttpStatusCode.OK);

    public int Port { get; private set; }

    public string Url => $"http://127.0.0.1:{Port}/hook?for=tests";

    public static async Task<Receiver> StartAsync()
    {
        var receiver = new Receiver();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        receiver._app = builder.Build();
        receiver._app.MapPost("/hook", receiver.TakeAsync);
        await receiver._app.StartAsync();
        receiver.Port = new Uri(receiver._app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()).Port;
        return receiver;
    }

    /// <summary>The types of what it took of one sandbox, each event once.</summary>
    public IReadOnlyList<string> TypesOf(string? sandbox) => [.. Taken.Where(r => r.Sandbox == sandbox).DistinctBy(r => r.Id).Select(r => r.Type)];

    public async ValueTask DisposeAsync()
    {
        using var atOnce = new CancellationTokenSource(TimeSpan.Zero);
        await _app.StopAsync(atOnce.Token);
        await _app.DisposeAsync();
    }

    private async Task TakeAsync(HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body, Encoding.UTF8);
        var headers = context.Request.Headers;
        var received = new Received(headers["webhook-id"].ToString(), headers["webhook-timestamp"].ToString(), headers["webhook-signature"].ToString(), await reader.ReadToEndAsync());
        _asked.Enqueue(received);
        var status = await Answer(received);
        context.Response.StatusCode = (int)status;
        if ((int)status is >= 200 and < 300)
        {
            _taken.Enqueue(received);
        }

        await context.Response.WriteAsync("thanks, " + status);
    }
}
