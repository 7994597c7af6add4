using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Corral.Egress.V1;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Corral.NodeAgent.Tests;

/// <summary>An egress service that takes gates as its contract says and carries nothing, on a Unix socket of its own.</summary>
internal sealed class EgressDouble : EgressService.EgressServiceBase, IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("corral-egress-").FullName;
    private CancellationTokenSource _life = new();
    private WebApplication? _app;

    public string Address => "unix:" + Path.Combine(_folder, "egress.sock");

    /// <summary>The gates it has, by sandbox, as they were attached last; policies as they were updated last.</summary>
    public ConcurrentDictionary<string, AttachRequest> Gates { get; } = new();

    /// <summary>The certificates that were made ahead, by gate.</summary>
    public ConcurrentDictionary<string, string> Prepared { get; } = new();

    /// <summary>How often a gate was attached.</summary>
    public int Attachments { get; private set; }

    /// <summary>Runs before a gate is attached.</summary>
    public Func<AttachRequest, Task> BeforeAttach { get; set; } = _ => Task.CompletedTask;

    public static async Task<EgressDouble> StartAsync()
    {
        var egress = new EgressDouble();
        await egress.RestartAsync();
        return egress;
    }

    /// <summary>Starts anew: it knows of no gate.</summary>
    public async Task RestartAsync()
    {
        await StopAsync();
        _life = new CancellationTokenSource();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(this);
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenUnixSocket(Address["unix:".Length..], listen => listen.Protocols = HttpProtocols.Http2));
        _app = builder.Build();
        _app.MapGrpcService<EgressDouble>();
        await _app.StartAsync();
    }

    /// <summary>Dies, and forgets its gates.</summary>
    public async Task StopAsync()
    {
        if (_app is null) return;
        await _life.CancelAsync();
        using var atOnce = new CancellationTokenSource(TimeSpan.Zero);
        await _app.StopAsync(atOnce.Token);
        await _app.DisposeAsync();
        _app = null;
        Gates.Clear();
        Prepared.Clear();
    }

    public override async Task<AttachResponse> Attach(AttachRequest request, ServerCallContext context)
    {
        await BeforeAttach(request);
        if (!File.Exists(request.GateNamespace)) throw new RpcException(new Status(StatusCode.InvalidArgument, "gate_namespace is not there"));
        Gates[request.SandboxId] = request.Clone();
        Attachments++;
        return new AttachResponse { CaCertificatePem = Prepared.GetValueOrDefault(request.GateNamespace) ?? Certificate(request.SandboxId) };
    }

    public override Task<PrepareGateResponse> PrepareGate(PrepareGateRequest request, ServerCallContext context) =>
        Task.FromResult(new PrepareGateResponse { CaCertificatePem = Prepared.GetOrAdd(request.GateNamespace, Certificate("prepared")) });

    public override Task<UpdatePolicyResponse> UpdatePolicy(UpdatePolicyRequest request, ServerCallContext context)
    {
        if (!Gates.TryGetValue(request.SandboxId, out var gate)) throw new RpcException(new Status(StatusCode.NotFound, "not attached"));
        if (request.Policy.Version > gate.Policy.Version) gate.Policy = request.Policy;
        return Task.FromResult(new UpdatePolicyResponse { Version = gate.Policy.Version });
    }

    public override Task<DetachResponse> Detach(DetachRequest request, ServerCallContext context)
    {
        Gates.TryRemove(request.SandboxId, out _);
        return Task.FromResult(new DetachResponse());
    }

    public override async Task WatchAttached(WatchAttachedRequest request, IServerStreamWriter<WatchAttachedResponse> responseStream, ServerCallContext context)
    {
        var there = new WatchAttachedResponse();
        there.Gates.AddRange(Gates.Values.Select(gate => new AttachedGate { SandboxId = gate.SandboxId, Generation = gate.Generation, PolicyVersion = gate.Policy.Version }));
        await responseStream.WriteAsync(there);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, _life.Token);
        await Task.Delay(Timeout.Infinite, over.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _life.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static string Certificate(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256)
            .CreateSelfSigned(DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow.AddDays(1));
        return certificate.ExportCertificatePem();
    }
}
