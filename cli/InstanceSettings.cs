using Corral.Hosting;

namespace Corral.Cli;

/// <summary>What the environment says of the instance.</summary>
internal static class InstanceSettings
{
    /// <summary>The repository, or wherever the services' programs are below <c>artifacts/</c>.</summary>
    public static string Repository { get; } = Environment.GetEnvironmentVariable("CORRAL_REPOSITORY") is { Length: > 0 } named
        ? named
        : throw new InvalidOperationException("CORRAL_REPOSITORY is not set: start this with ./corral.");

    /// <summary>Where JSON is answered, such as <c>127.0.0.1:8080</c>: the first, when there are several.</summary>
    public static string JsonAddress => First("CORRAL_LISTEN", "127.0.0.1:8080");

    /// <summary>Where native gRPC is answered.</summary>
    public static string GrpcAddress => First("CORRAL_GRPC_LISTEN", "127.0.0.1:8081");

    /// <summary>Whether Redis is somebody else's: then none is started here.</summary>
    public static bool HasOwnRedis => string.IsNullOrEmpty(Environment.GetEnvironmentVariable("CORRAL_REDIS"));

    /// <summary>The file to which a process of the instance writes.</summary>
    public static string Log(string service) => Path.Combine(CorralPaths.Home, "logs", service + ".log");

    private static string First(string variable, string fallback) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } given ? given.Split(',', StringSplitOptions.TrimEntries)[0] : fallback;
}
