using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Corral.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Corral.Gateway.Tests;

/// <summary>The whole gateway, on a port of its own, before services that answer as a test says.</summary>
public sealed class LeapGateway : IAsyncLifetime
{
    private readonly string _home = Directory.CreateTempSubdirectory("corral-leap-").FullName;
    private readonly List<WebApplication> _apps = [];

    private string Socket => Path.Combine(_home, "sessions.sock");

    public LeapUpstreams Upstreams { get; } = new();

    public HttpClient Http { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        // Any free ports; the same for every gateway of this process.
        Environment.SetEnvironmentVariable("CORRAL_LISTEN", "127.0.0.1:0");
        Environment.SetEnvironmentVariable("CORRAL_GRPC_LISTEN", "127.0.0.1:0");
        await StartAsync(Services());
        var gateway = Gateway();
        await StartAsync(gateway);
        Http = new HttpClient { BaseAddress = new Uri(gateway.Urls.First()) };
        Http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", LeapUpstreams.Key);
    }

    /// <summary>Sends JSON as fetch does, when it is told nothing of its media type.</summary>
    public Task<(HttpStatusCode Status, string Body)> PostAsync(string path, string json) => SendAsync(new HttpRequestMessage(HttpMethod.Post, path)
    {
        Content = new StringContent(json, Encoding.UTF8, "text/plain"),
    });

    public async Task<(HttpStatusCode Status, string Body)> SendAsync(HttpRequestMessage request)
    {
        using var response = await Http.SendAsync(request);
        return (response.StatusCode, await response.Content.ReadAsStringAsync());
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        foreach (var app in _apps)
        {
            await app.StopAsync();
            await app.DisposeAsync();
        }

        Directory.Delete(_home, recursive: true);
    }

    private WebApplication Services()
    {
        var builder = CorralHost.CreateEdgeBuilder([], "sessions");
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenUnixSocket(Socket, listen => listen.Protocols = HttpProtocols.Http2));
        builder.Services.AddSingleton(Upstreams);
        builder.Services.AddSingleton(new AccessUpstream(Upstreams, "unix:" + Socket));
        var app = builder.Build();
        app.MapCorral();
        app.MapGrpcService<AccessUpstream>();
        app.MapGrpcService<SandboxUpstream>();
        app.MapGrpcService<ExecUpstream>();
        app.MapGrpcService<FileUpstream>();
        return app;
    }

    private WebApplication Gateway()
    {
        var builder = CorralHost.CreateEdgeBuilder([], "gateway");
        builder.Configuration["Services:sessions"] = "unix:" + Socket;
        builder.Configuration["RateLimits:Enabled"] = "false";
        builder.AddGateway();
        var app = builder.Build();
        app.MapGateway();
        return app;
    }

    private async Task StartAsync(WebApplication app)
    {
        _apps.Add(app);
        await app.StartAsync();
    }
}
