using Corral.Egress.Flows;
using Corral.Egress.V1;
using Corral.Hosting;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Corral.Egress.Tests.Lab;

/// <summary>The whole service, in this process, with a home of its own.</summary>
internal sealed class RunningEgress : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly GrpcChannel _channel;

    private RunningEgress(WebApplication app, GrpcChannel channel, RecordingTerminator terminator, ErrorLog errors)
    {
        (_app, _channel, Terminator, Errors) = (app, channel, terminator, errors);
        Client = new EgressService.EgressServiceClient(channel);
    }

    public EgressService.EgressServiceClient Client { get; }

    public RecordingTerminator Terminator { get; }

    public ErrorLog Errors { get; }

    public static async Task<RunningEgress> StartAsync(string home, Action<EgressOptions>? configure = null)
    {
        Environment.SetEnvironmentVariable("CORRAL_HOME", home);
        var terminator = new RecordingTerminator();
        var errors = new ErrorLog();
        var builder = CorralHost.CreateBuilder([], "egress");
        builder.AddEgress();
        builder.Logging.ClearProviders().AddProvider(errors);
        builder.Services.AddSingleton<ITerminator>(terminator);
        builder.Services.Configure<EgressOptions>(options =>
        {
            options.Resolvers = [Internet.Resolver.ToString()];
            options.PermittedRanges = ["10.99.0.0/24", Internet.Host + "/32"];
            options.ConnectionsPerSecond = 10_000;
            options.QuestionsPerSecond = 1000;
            options.ConnectTimeout = TimeSpan.FromSeconds(3);
            options.HelloTimeout = TimeSpan.FromSeconds(2);
            configure?.Invoke(options);
        });
        var app = builder.Build();
        app.MapEgress();
        await app.StartAsync();
        return new RunningEgress(app, ChannelPool.Open("unix:" + CorralPaths.Socket("egress")), terminator, errors);
    }

    public T Get<T>()
        where T : notnull => _app.Services.GetRequiredService<T>();

    public async ValueTask DisposeAsync()
    {
        _channel.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
    }
}
