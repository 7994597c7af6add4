using System.Net;
using System.Text.Json;
using Corral.Api.V1;
using Corral.Gateway.Documents;
using Corral.Gateway.Idempotency;
using Corral.Gateway.Kept;
using Corral.Gateway.Leap;
using Corral.Gateway.Native;
using Corral.Gateway.RateLimits;
using Corral.Gateway.Routing;
using Corral.Gateway.Security;
using Corral.Gateway.Terminals;
using Corral.Hosting;
using Corral.Redis;
using Corral.Sessions.V1;
using Grpc.AspNetCore.Server;
using Grpc.Health.V1;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;

namespace Corral.Gateway;

/// <summary>What the gateway is made of.</summary>
internal static class GatewayHost
{
    // A client that is silent for so long, and does not answer either, is gone.
    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(20);

    public static void AddGateway(this WebApplicationBuilder builder)
    {
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            Listen(kestrel, "CORRAL_LISTEN", "127.0.0.1:8080", HttpProtocols.Http1);
            Listen(kestrel, "CORRAL_GRPC_LISTEN", "127.0.0.1:8081", HttpProtocols.Http2);
        });
        builder.Services.AddCorralClient<SandboxService.SandboxServiceClient>("sessions");
        builder.Services.AddCorralClient<AccessService.AccessServiceClient>("sessions");
        builder.Services.AddCorralClient<Health.HealthClient>("sessions");
        builder.Services.AddSingleton<IReadinessCheck, SessionsReadiness>();
        builder.Services.AddSingleton(_ => new RedisConnection());
        builder.Services.AddSingleton<IValidateOptions<RateLimitOptions>, RateLimitOptionsValidator>();
        builder.Services.AddOptions<RateLimitOptions>().BindConfiguration("RateLimits").ValidateOnStart();
        builder.Services.AddSingleton<IValidateOptions<IdempotencyOptions>, IdempotencyOptionsValidator>();
        builder.Services.AddOptions<IdempotencyOptions>().BindConfiguration("Idempotency").ValidateOnStart();
        // Methods that are not the gateway's own are passed on, and not answered as unknown.
        builder.Services.Configure<GrpcServiceOptions>(grpc => grpc.IgnoreUnknownServices = true);
        builder.Services.AddHttpForwarder();
        builder.Services.AddSingleton<RouteTable>();
        builder.Services.AddSingleton<Authenticator>();
        builder.Services.AddSingleton<KeyWatch>();
        builder.Services.AddSingleton<RateLimiter>();
        builder.Services.AddSingleton<RequestLog>();
        builder.Services.AddSingleton<RepeatedRequests>();
        builder.Services.AddSingleton<KeptAnswers>();
        builder.Services.AddHostedService<ChangeNotices>();
        builder.Services.AddSingleton<MemoryShares>();
        builder.Services.AddSingleton<SandboxLocator>();
        builder.Services.AddSingleton<Upstreams>();
        builder.Services.AddSingleton<EventStream>();
        builder.Services.AddSingleton<NativeCalls>();
        builder.Services.AddSingleton<LeapSandboxes>();
        builder.Services.AddSingleton<LeapFiles>();
        builder.Services.AddSingleton<LeapCalls>();
        builder.Services.AddSingleton<ApiEndpoint>();
        builder.Services.AddSingleton<IValidateOptions<TerminalOptions>, TerminalOptionsValidator>();
        builder.Services.AddOptions<TerminalOptions>().BindConfiguration("Terminals").ValidateOnStart();
        builder.Services.AddSingleton<OriginCheck>();
        builder.Services.AddSingleton<TokenCheck>();
        builder.Services.AddSingleton<TerminalEndpoint>();
        builder.Services.AddSingleton<NativeChannels>();
        builder.Services.AddSingleton<NativeProxy>();
        builder.Services.AddSingleton<OpenApi>();
    }

    public static void MapGateway(this WebApplication app)
    {
        app.Use(IdentifyAsync);
        app.UseWebSockets(new WebSocketOptions { KeepAliveInterval = KeepAlive, KeepAliveTimeout = KeepAlive });
        app.MapGet("/health/live", () => Results.Json(new { status = "live" }));
        app.MapGet("/health/ready", async (Readiness readiness, CancellationToken cancellationToken) =>
            await readiness.MissingAsync(cancellationToken) is { Count: > 0 } missing
                ? Results.Json(new { status = "not ready", missing }, statusCode: StatusCodes.Status503ServiceUnavailable)
                : Results.Json(new { status = "ready" }));
        app.MapGet("/openapi.json", (OpenApi document) => Results.Text(document.Text, "application/json"));
        app.MapGet("/docs", () => Results.Text(DocsPage.Html, "text/html"));
        app.MapGet(TerminalEndpoint.Path, (HttpContext context, TerminalEndpoint terminals) => terminals.HandleAsync(context));
        app.MapCorral([.. RouteTable.Services]);
        // Found once: a request of its own services would have to be given some first.
        var (native, api) = (app.Services.GetRequiredService<NativeProxy>(), app.Services.GetRequiredService<ApiEndpoint>());
        // Every path: by default, one whose last part has a dot would be taken for a file's.
        app.MapFallback("{**path}", context => IsNative(context) ? native.HandleAsync(context) : api.HandleAsync(context));
    }

    private static bool IsNative(HttpContext context) =>
        HttpProtocol.IsHttp2(context.Request.Protocol)
        && context.Request.ContentType?.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase) == true;

    // The client may name its request; what is no plain token is replaced.
    private static Task IdentifyAsync(HttpContext context, RequestDelegate next)
    {
        var given = context.Request.Headers["X-Request-Id"].ToString();
        context.TraceIdentifier = given.Length is > 0 and <= 128 && given.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.') ? given : Ids.New("req-");
        context.Response.Headers["X-Request-Id"] = context.TraceIdentifier;
        return next(context);
    }

    private static void Listen(KestrelServerOptions kestrel, string variable, string fallback, HttpProtocols protocols)
    {
        var value = Environment.GetEnvironmentVariable(variable) is { Length: > 0 } given ? given : fallback;
        foreach (var address in value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (!IPEndPoint.TryParse(address, out var endpoint))
            {
                throw new InvalidOperationException($"{variable}: '{address}' is not an address and a port, such as {fallback}.");
            }

            kestrel.Listen(endpoint, listen => listen.Protocols = protocols);
        }
    }

    /// <summary>Without sessions, no request can be answered.</summary>
    private sealed class SessionsReadiness(Health.HealthClient sessions) : IReadinessCheck
    {
        public string Name => "sessions";

        public async ValueTask<bool> IsReadyAsync(CancellationToken cancellationToken) =>
            (await sessions.CheckAsync(new HealthCheckRequest(), cancellationToken: cancellationToken)).Status == HealthCheckResponse.Types.ServingStatus.Serving;
    }
}
