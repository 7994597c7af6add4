using Corral.Gateway.Tests;
using Corral.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Xunit;

[assembly: AssemblyFixture(typeof(HostedGateway))]

namespace Corral.Gateway.Tests;

/// <summary>The gateway itself, before a sessions that is made up, and another one before none.</summary>
public sealed class HostedGateway : IAsyncLifetime
{
    private readonly string _home = Directory.CreateTempSubdirectory("corral-gateway-").FullName;
    private readonly List<WebApplication> _apps = [];

    /// <summary>Speaks JSON to it.</summary>
    public HttpClient Client { get; private set; } = null!;

    /// <summary>The address of its native face.</summary>
    public string Native { get; private set; } = "";

    /// <summary>Speaks JSON to a gateway whose sessions is away.</summary>
    public HttpClient Lonely { get; private set; } = null!;

    /// <summary>The address of the lonely one's native face.</summary>
    public string LonelyNative { get; private set; } = "";

    internal FakeSessions Sessions { get; } = new();

    internal FakeEvents Events { get; } = new();

    internal FakeWebhooks Webhooks { get; } = new();

    public async ValueTask InitializeAsync()
    {
        Environment.SetEnvironmentVariable("CORRAL_HOME", _home);
        Environment.SetEnvironmentVariable("CORRAL_LISTEN", "127.0.0.1:0");
        Environment.SetEnvironmentVariable("CORRAL_GRPC_LISTEN", "127.0.0.1:0");
        var sessions = CorralHost.CreateBuilder([], "sessions");
        sessions.Logging.ClearProviders();
        sessions.Services.AddSingleton(Sessions);
        sessions.Services.AddSingleton(Events);
        sessions.Services.AddSingleton(Webhooks);
        var app = sessions.Build();
        app.MapCorral();
        app.MapGrpcService<FakeSessions.Access>();
        app.MapGrpcService<FakeSessions.Sandboxes>();
        app.MapGrpcService<FakeSessions.Commands>();
        app.MapGrpcService<FakeSessions.Files>();
        app.MapGrpcService<FakeEvents>();
        app.MapGrpcService<FakeWebhooks>();
        await app.StartAsync();
        _apps.Add(app);
        (Client, Native) = await StartAsync("unix:" + CorralPaths.Socket("sessions"));
        (Lonely, LonelyNative) = await StartAsync("unix:" + CorralPaths.Socket("nobody"));
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        Lonely.Dispose();
        foreach (var app in _apps)
        {
            await app.StopAsync();
            await app.DisposeAsync();
        }

        Directory.Delete(_home, recursive: true);
    }

    private async Task<(HttpClient, string)> StartAsync(string sessions)
    {
        var builder = CorralHost.CreateEdgeBuilder([], "gateway");
        builder.Logging.ClearProviders();
        builder.Configuration.AddInMemoryCollection([new("Services:sessions", sessions), new("RateLimits:Enabled", "false")]);
        builder.AddGateway();
        var app = builder.Build();
        app.MapGateway();
        await app.StartAsync();
        _apps.Add(app);
        // In the order in which they were bound: JSON, then native.
        var addresses = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.ToList();
        return (new HttpClient { BaseAddress = new Uri(addresses[0]) }, addresses[1]);
    }
}
