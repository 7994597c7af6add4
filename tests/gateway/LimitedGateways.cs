using System.Net.Http.Headers;
using System.Text;
using Corral.Hosting;
using Corral.Redis;
using Corral.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Corral.Gateway.Tests;

/// <summary>A test with a Redis, two gateways on it, and what they call.</summary>
public abstract class LimitedGateways : IAsyncLifetime
{
    private readonly string _home = Directory.CreateTempSubdirectory("corral-limited-").FullName;
    private readonly List<WebApplication> _apps = [];

    internal LimitedUpstream Upstream { get; } = new();

    internal RedisServer Redis { get; private set; } = null!;

    internal IReadOnlyList<HttpClient> Replicas { get; private set; } = [];

    internal string Native { get; private set; } = "";

    /// <summary>Settings beside the defaults.</summary>
    protected virtual Dictionary<string, string?> Settings => [];

    /// <summary>The gateways' time; null for the host's.</summary>
    protected virtual TimeProvider? Clock => null;

    private string Socket => Path.Combine(_home, "sessions.sock");

    public async ValueTask InitializeAsync()
    {
        Environment.SetEnvironmentVariable("CORRAL_LISTEN", "127.0.0.1:0");
        Environment.SetEnvironmentVariable("CORRAL_GRPC_LISTEN", "127.0.0.1:0");
        Redis = await RedisServer.StartAsync();
        await StartUpstreamAsync();
        Replicas = [await StartGatewayAsync(), await StartGatewayAsync()];
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var client in Replicas)
        {
            client.Dispose();
        }

        foreach (var app in _apps)
        {
            await app.StopAsync();
            await app.DisposeAsync();
        }

        await Redis.DisposeAsync();
        Directory.Delete(_home, recursive: true);
        GC.SuppressFinalize(this);
    }

    internal Task<HttpResponseMessage> SendAsync(
        HttpMethod method, string path, string? body = null, string key = LimitedUpstream.Key, string? idempotencyKey = null, int replica = 0, CancellationToken cancellationToken = default)
    {
        var request = new HttpRequestMessage(method, path) { Content = body is null ? null : new StringContent(body, Encoding.UTF8, "application/json") };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        if (idempotencyKey is not null)
        {
            request.Headers.TryAddWithoutValidation("Idempotency-Key", idempotencyKey);
        }

        return Replicas[replica].SendAsync(request, cancellationToken);
    }

    private async Task StartUpstreamAsync()
    {
        var builder = CorralHost.CreateEdgeBuilder([], "sessions");
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenUnixSocket(Socket, listen => listen.Protocols = HttpProtocols.Http2));
        builder.Services.AddSingleton(Upstream);
        builder.Services.AddSingleton(new LimitedUpstream.Access(Upstream, "unix:" + Socket));
        var app = builder.Build();
        app.MapCorral();
        app.MapGrpcService<LimitedUpstream.Access>();
        app.MapGrpcService<LimitedUpstream.Sandboxes>();
        app.MapGrpcService<LimitedUpstream.Exec>();
        app.MapGrpcService<LimitedUpstream.ApiKeys>();
        app.MapGrpcService<LimitedUpstream.Node>();
        app.MapGrpcService<LimitedUpstream.Terminals>();
        await app.StartAsync();
        _apps.Add(app);
    }

    private async Task<HttpClient> StartGatewayAsync()
    {
        var builder = CorralHost.CreateEdgeBuilder([], "gateway");
        builder.Logging.ClearProviders();
        builder.Configuration.AddInMemoryCollection([new("Services:sessions", "unix:" + Socket), .. Settings]);
        if (Clock is { } clock)
        {
            builder.Services.AddSingleton(clock);
        }

        builder.AddGateway();
        builder.Services.AddSingleton(_ => new RedisConnection(Redis.SocketPath));
        var app = builder.Build();
        app.MapGateway();
        await app.StartAsync();
        _apps.Add(app);
        var addresses = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.ToList();
        Native = addresses[1];
        return new HttpClient { BaseAddress = new Uri(addresses[0]) };
    }
}
