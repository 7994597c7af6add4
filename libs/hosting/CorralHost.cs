using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;

namespace Corral.Hosting;

/// <summary>How every Corral process starts.</summary>
public static class CorralHost
{
    private const string SettingsPrefix = "CORRAL_CONFIG_";

    /// <summary>A host that answers gRPC on the service's own Unix socket.</summary>
    /// <param name="args">The command line; it is not read, so that nothing secret is put there.</param>
    /// <param name="service">The service's name, such as <c>sessions</c>.</param>
    public static WebApplicationBuilder CreateBuilder(string[] args, string service)
    {
        var builder = CreateEdgeBuilder(args, service);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            var socket = CorralPaths.Socket(service);
            PrepareSocket(socket);
            kestrel.ListenUnixSocket(socket, listen => listen.Protocols = HttpProtocols.Http2);
        });
        return builder;
    }

    /// <summary>A host that listens nowhere yet: the service configures Kestrel itself.</summary>
    public static WebApplicationBuilder CreateEdgeBuilder(string[] args, string service)
    {
        _ = args;
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions
        {
            ApplicationName = service,
            ContentRootPath = AppContext.BaseDirectory,
        });
        AddSettings(builder.Configuration);
        builder.WebHost.ConfigureKestrel(ConfigureLimits);
        builder.AddCorralTelemetry(service);
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<ChannelPool>();
        builder.Services.AddSingleton<Readiness>();
        builder.Services.AddSingleton(new ServiceName(service));
        builder.Services.AddSingleton<CallInterceptor>();
        builder.Services.AddSingleton<ReflectedServices>();
        builder.Services.AddGrpc(grpc =>
        {
            grpc.Interceptors.Add<CallInterceptor>();
            grpc.MaxReceiveMessageSize = 64 * 1024 * 1024;
            grpc.MaxSendMessageSize = 64 * 1024 * 1024;
        });
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(20));
        return builder;
    }

    /// <summary>Maps health and reflection.</summary>
    /// <param name="app">The application.</param>
    /// <param name="services">What reflection tells of, besides health.</param>
    public static T MapCorral<T>(this T app, params ServiceDescriptor[] services)
        where T : IEndpointRouteBuilder
    {
        app.ServiceProvider.GetRequiredService<ReflectedServices>().Add(services);
        app.MapGrpcService<HealthService>();
        app.MapGrpcService<ReflectionService>();
        return app;
    }

    private static void AddSettings(ConfigurationManager configuration)
    {
        configuration.AddJsonFile(Path.Combine(AppContext.BaseDirectory, "appsettings.json"), optional: true, reloadOnChange: false);
        configuration.AddEnvironmentVariables(SettingsPrefix);
    }

    private static void ConfigureLimits(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.Http2.InitialStreamWindowSize = 1024 * 1024;
        kestrel.Limits.Http2.InitialConnectionWindowSize = 4 * 1024 * 1024;
        kestrel.Limits.Http2.MaxStreamsPerConnection = 1000;
        // Long uploads and idle streams are normal here; each RPC has its own deadline.
        kestrel.Limits.MinRequestBodyDataRate = null;
        kestrel.Limits.MinResponseDataRate = null;
        kestrel.Limits.MaxRequestBodySize = null;
    }

    // A socket that a killed process left behind would refuse the bind; one that somebody answers on is not ours to take.
    private static void PrepareSocket(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        if (!File.Exists(path))
        {
            return;
        }

        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException)
        {
            File.Delete(path);
            return;
        }

        throw new InvalidOperationException($"Another process answers on {path}.");
    }
}

/// <summary>The name of the process's service, such as <c>sessions</c>.</summary>
public sealed record ServiceName(string Value);
