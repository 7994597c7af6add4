using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Corral.Sessions.Tests;

/// <summary>Hosts one made-up gRPC service on a Unix socket.</summary>
internal sealed class FakeHost : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("corral-fake-").FullName;
    private WebApplication? _app;

    public string Address => "unix:" + Path.Combine(_folder, "s.sock");

    public async Task StartAsync<TService>(TService service)
        where TService : class
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(service);
        builder.WebHost.ConfigureKestrel(kestrel =>
            kestrel.ListenUnixSocket(Address["unix:".Length..], listen => listen.Protocols = HttpProtocols.Http2));
        _app = builder.Build();
        _app.MapGrpcService<TService>();
        await _app.StartAsync();
    }

    /// <summary>Goes away: calls are refused from now on.</summary>
    public async Task StopAsync()
    {
        if (_app is not null)
        {
            using var atOnce = new CancellationTokenSource(TimeSpan.Zero);
            await _app.StopAsync(atOnce.Token);
            await _app.DisposeAsync();
            _app = null;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        Directory.Delete(_folder, recursive: true);
    }
}
