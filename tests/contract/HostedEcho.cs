using Corral.Contract.Tests.Echoes;
using Corral.Hosting;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Corral.Contract.Tests;

/// <summary>A service as Corral hosts one, on a Unix socket of the test's own.</summary>
public sealed class HostedEcho : IAsyncLifetime
{
    private readonly string _home = Directory.CreateTempSubdirectory("corral-contract-").FullName;
    private WebApplication _app = null!;

    public GrpcChannel Channel { get; private set; } = null!;

    public Echo.EchoClient Client => new(Channel);

    public Knob Knob { get; } = new();

    public async ValueTask InitializeAsync()
    {
        Environment.SetEnvironmentVariable("CORRAL_HOME", _home);
        var builder = CorralHost.CreateBuilder([], "echo");
        builder.Services.AddSingleton<IReadinessCheck>(Knob);
        _app = builder.Build();
        _app.MapCorral(Echo.Descriptor);
        _app.MapGrpcService<EchoService>();
        await _app.StartAsync();
        Channel = ChannelPool.Open("unix:" + CorralPaths.Socket("echo"));
    }

    public async ValueTask DisposeAsync()
    {
        Channel.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
        Directory.Delete(_home, recursive: true);
    }
}

/// <summary>A dependency that a test takes away and brings back.</summary>
public sealed class Knob : IReadinessCheck
{
    public bool Ready { get; set; } = true;

    public string Name => "knob";

    public ValueTask<bool> IsReadyAsync(CancellationToken cancellationToken) => ValueTask.FromResult(Ready);
}

/// <summary>Says what it is told, or fails as it is told.</summary>
public sealed class EchoService : Echo.EchoBase
{
    public override async Task<Word> Unary(Word request, ServerCallContext context)
    {
        switch (request.Text)
        {
            case "headers":
                await context.WriteResponseHeadersAsync(new Metadata { { "plain", "pl:a in%" }, { "bytes-bin", [0, 255, 1] } });
                context.ResponseTrailers.Add("after", "yes");
                return new Word { Text = context.RequestHeaders.GetValue("asked") ?? "" };
            case "identity":
                var caller = CallerIdentity.From(context);
                return new Word { Text = $"{caller.OrganizationId}|{caller.KeyId}|{string.Join(',', caller.Scopes)}|{caller.RequestId}" };
            case "limit":
                throw RpcErrors.ResourceExhausted("LIMIT", "No more of it.", new Dictionary<string, string> { ["limit"] = "3" }, TimeSpan.FromSeconds(7));
            case "long":
                var text = string.Concat(Enumerable.Repeat("a\u00fc\U0001f600", 100_000));
                throw RpcErrors.InvalidArgument("LONG", text, new Dictionary<string, string> { ["text"] = text }, [.. Enumerable.Range(0, 1000).Select(_ => new FieldViolation(text, text))]);
            case "field":
                throw RpcErrors.InvalidArgument("max_duration_ms", "must be above 0");
            case "gone":
                throw new DependencyUnavailableException("STORE", "The store is away.", TimeSpan.FromSeconds(2), new InvalidOperationException("secret detail"));
            case "bug":
                throw new InvalidOperationException("secret detail");
            case "wait":
                await Task.Delay(Timeout.Infinite, context.CancellationToken);
                return request;
            default:
                return request;
        }
    }

    public override async Task<Word> Join(IAsyncStreamReader<Word> requestStream, ServerCallContext context)
    {
        var text = "";
        await foreach (var word in requestStream.ReadAllAsync())
        {
            text += word.Text;
        }

        return new Word { Text = text };
    }

    public override async Task Split(Word request, IServerStreamWriter<Word> responseStream, ServerCallContext context)
    {
        foreach (var letter in request.Text)
        {
            await responseStream.WriteAsync(new Word { Text = letter.ToString() });
        }
    }

    public override async Task Talk(IAsyncStreamReader<Word> requestStream, IServerStreamWriter<Word> responseStream, ServerCallContext context)
    {
        await foreach (var word in requestStream.ReadAllAsync())
        {
            await responseStream.WriteAsync(word);
        }
    }
}
