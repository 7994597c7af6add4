using System.Collections.Concurrent;
using System.Net.Http;
using System.Net.Security;
using System.Net.Sockets;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Corral.Egress.Audit;
using Corral.Egress.Dialing.Proxies;
using Corral.Egress.Dialing;
using Corral.Egress.Flows;
using Corral.Egress.Gates;
using Corral.Egress.Policies;
using Corral.Egress.Termination;
using Corral.Egress.V1;
using Corral.Tests.Support;
using Corral.Egress;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Corral.Termination.Tests;

/// <summary>The terminator with one sandbox, whose connections come by a port of the loopback in place of a gate.</summary>
internal sealed class Terminating : IAsyncDisposable
{
    public const string Secret = "s3cr3t-value-never-inside";

    private static readonly PolicyLimits Limits = new(1000, 1000, 0, 1000);

    private readonly WebApplication _app;
    private readonly string _home;
    private readonly List<TcpListener> _listeners = [];
    private readonly ConcurrentDictionary<Flow, Task> _flows = new();
    private long _version = 1;

    private Terminating(WebApplication app, string home, AttachedSandbox sandbox, LoopbackDialer dialer, CapturedLogs logs) =>
        (_app, _home, Sandbox, Dialer, Logs) = (app, home, sandbox, dialer, logs);

    public AttachedSandbox Sandbox { get; }

    public LoopbackDialer Dialer { get; }

    public CapturedLogs Logs { get; }

    /// <summary>The way out, by the sandbox's proxy where it has one.</summary>
    public IUpstreamDialer Upstreams => _app.Services.GetRequiredService<IUpstreamDialer>();

    public EgressTelemetry Telemetry => _app.Services.GetRequiredService<EgressTelemetry>();

    public ConcurrentDictionary<Flow, Task> Flows => _flows;

    /// <summary>Starts one under a policy that allows nothing yet.</summary>
    public static async Task<Terminating> StartAsync(Action<EgressOptions>? configure = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        var logs = new CapturedLogs();
        builder.Logging.ClearProviders().AddProvider(logs).SetMinimumLevel(LogLevel.Information);
        builder.WebHost.UseUrls();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var home = Directory.CreateTempSubdirectory("corral-termination-").FullName;
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddEgressCore(home);
        builder.Services.Configure<EgressOptions>(options =>
        {
            options.TrustedAuthorities = TestAuthority.Shared.PemFile;
            configure?.Invoke(options);
        });
        var dialer = new LoopbackDialer();
        builder.Services.AddSingleton<IUpstreamDialer>(provider => new ProxiedDialer(dialer, provider.GetRequiredService<UpstreamTrust>()));
        var app = builder.Build();
        await app.StartAsync();
        var authority = SandboxAuthority.Create("sbx-test", TimeProvider.System);
        var sandbox = new AttachedSandbox("sbx-test", 1, "org-test", PolicyCompiler.Nothing(Limits), authority, TimeProvider.System);
        return new Terminating(app, home, sandbox, dialer, logs);
    }

    /// <summary>A custom policy.</summary>
    public static Policy Allow(params string[] names)
    {
        var policy = new Policy { Mode = PolicyMode.Custom };
        policy.AllowDomains.Add(names);
        return policy;
    }

    /// <summary>A custom policy that sets a header for a name.</summary>
    public static Policy Inject(string domain, string header, string value)
    {
        var policy = new Policy { Mode = PolicyMode.Custom };
        policy.Transforms.Add(new Transform { Domain = domain, InjectHeaders = { new InjectedHeader { Name = header, Value = value, Secrets = { new SecretUse { Name = "KEY", Version = 3 } } } } });
        return policy;
    }

    public void Apply(Policy policy)
    {
        policy.Version = Interlocked.Increment(ref _version);
        Assert.True(Sandbox.TryReplacePolicy(PolicyCompiler.Compile(policy, Limits)));
    }

    /// <summary>A port of the loopback; who connects to it has connected to port <paramref name="port"/> of a name, as the sandbox sees it.</summary>
    public int Listen(string name, FlowProtocol protocol = FlowProtocol.Tls, int port = 443)
    {
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start(1024);
        _listeners.Add(listener);
        _ = AcceptAsync(listener, name, protocol, port);
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>A client that believes the sandbox's authority, whose every connection goes to that port.</summary>
    public HttpClient Client(int port, Version? version = null) => new(Handler(port))
    {
        DefaultRequestVersion = version ?? HttpVersion.Version11,
        DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        Timeout = TimeSpan.FromSeconds(60),
    };

    public SocketsHttpHandler Handler(int port) => new()
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        UseProxy = false,
        Expect100ContinueTimeout = TimeSpan.FromSeconds(30),
        ConnectCallback = async (_, cancellationToken) =>
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(IPAddress.Loopback, port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        },
        SslOptions = Trusting(),
    };

    public SslClientAuthenticationOptions Trusting(string? name = null) => new()
    {
        TargetHost = name,
        CertificateChainPolicy = new X509ChainPolicy
        {
            RevocationMode = X509RevocationMode.NoCheck,
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            CustomTrustStore = { X509Certificate2.CreateFromPem(Sandbox.Authority.CertificatePem) },
        },
    };

    /// <summary>The authority as a file, for programs.</summary>
    public string AuthorityFile()
    {
        var path = Path.Combine(Path.GetDirectoryName(TestAuthority.Shared.PemFile)!, $"sandbox-{Guid.NewGuid():n}.pem");
        File.WriteAllText(path, Sandbox.Authority.CertificatePem, Encoding.ASCII);
        return path;
    }

    /// <summary>The record of its only request, which may come after the answer.</summary>
    public async Task<AuditRecord> RecordAsync()
    {
        List<AuditRecord> requests = [];
        await Eventually.Async("the request is on record", TimeSpan.FromSeconds(30), async () =>
        {
            var (_, records, _) = await _app.Services.GetRequiredService<AuditLog>().ReadAsync(Sandbox.Id, new AuditCursor(0), 1000, refusedOnly: false, CancellationToken.None);
            requests = [.. records.Where(record => record.Kind == AuditKind.Request)];
            return requests.Count > 0;
        });
        return Assert.Single(requests);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var listener in _listeners) listener.Dispose();
        Sandbox.Detach();
        await Task.WhenAll(_flows.Values).WaitAsync(TimeSpan.FromSeconds(30));
        await _app.StopAsync();
        await _app.DisposeAsync();
        Sandbox.Dispose();
        Logs.AssertClean();
        foreach (var file in Directory.EnumerateFiles(_home, "*", SearchOption.AllDirectories))
        {
            Assert.DoesNotContain(Secret, await File.ReadAllTextAsync(file), StringComparison.Ordinal);
        }

        Directory.Delete(_home, recursive: true);
    }

    private async Task AcceptAsync(TcpListener listener, string name, FlowProtocol protocol, int port)
    {
        try
        {
            while (true)
            {
                var client = await listener.AcceptSocketAsync();
                client.NoDelay = true;
                var flow = new Flow(Sandbox, client, new IPEndPoint(IPAddress.Parse("198.18.0.1"), port)) { AskedName = name, Hello = Hello.Complete(protocol, name) };
                flow.Judge();
                _flows[flow] = ServeAsync(flow);
            }
        }
        catch (Exception problem) when (problem is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(Flow flow)
    {
        try
        {
            // The service hands over what it has seen the beginning of.
            if (flow.Protocol == FlowProtocol.Http) await flow.Client.ReceiveAsync(new byte[4], SocketFlags.Peek);
            await _app.Services.GetRequiredService<ITerminator>().HandleAsync(flow, CancellationToken.None);
        }
        finally
        {
            flow.Dispose();
        }
    }

    /// <summary>As the service's own: by the proxy where there is one.</summary>
    private sealed class ProxiedDialer(LoopbackDialer direct, UpstreamTrust trust) : IUpstreamDialer
    {
        private readonly ProxyDialer _proxy = new(direct, trust, TimeProvider.System);

        public ValueTask<DialOutcome> ConnectAsync(AttachedSandbox sandbox, DialTarget target, CancellationToken cancellationToken) =>
            sandbox.Policy.Proxy is null ? direct.ConnectAsync(sandbox, target, cancellationToken) : _proxy.ConnectAsync(sandbox, target, cancellationToken);
    }
}
