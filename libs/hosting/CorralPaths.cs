namespace Corral.Hosting;

/// <summary>Where a Corral instance keeps its state. All of it lies under <c>CORRAL_HOME</c>, so that several instances can share a host.</summary>
public static class CorralPaths
{
    /// <summary>The instance's own directory: <c>CORRAL_HOME</c>, by default <c>/var/lib/corral</c>.</summary>
    public static string Home => Environment.GetEnvironmentVariable("CORRAL_HOME") is { Length: > 0 } home
        ? Path.GetFullPath(home)
        : "/var/lib/corral";

    /// <summary>Sockets and other things that live as long as the processes.</summary>
    public static string Run => Path.Combine(Home, "run");

    /// <summary>The node-agent's own directory.</summary>
    public static string Node => Path.Combine(Home, "node");

    /// <summary>Where the templates are: <c>CORRAL_TEMPLATES</c>, by default <c>templates</c> in <see cref="Home"/>.</summary>
    public static string Templates => Environment.GetEnvironmentVariable("CORRAL_TEMPLATES") is { Length: > 0 } templates
        ? Path.GetFullPath(templates)
        : Path.Combine(Home, "templates");

    /// <summary>The file that holds the first API key.</summary>
    public static string BootstrapKey => Path.Combine(Home, "bootstrap.key");

    /// <summary>The file that holds the key under which secrets are sealed: <c>CORRAL_SECRETS_KEY_FILE</c>, by default <c>keys/secrets.key</c>.</summary>
    public static string SecretsKey => Environment.GetEnvironmentVariable("CORRAL_SECRETS_KEY_FILE") is { Length: > 0 } file
        ? Path.GetFullPath(file)
        : Path.Combine(Home, "keys", "secrets.key");

    /// <summary>The Unix socket on which a service answers gRPC.</summary>
    public static string Socket(string service) => Path.Combine(Run, service + ".sock");
}
