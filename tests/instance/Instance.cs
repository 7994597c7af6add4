using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text.Json;
using Grpc.Core;
using Grpc.Net.Client;

namespace Corral.Tests.Instance;

/// <summary>An instance with a home directory and ports of its own, started by <c>./corral up --detach</c>.</summary>
public sealed class Instance : IAsyncDisposable
{
    private readonly string _home;
    private readonly Dictionary<string, string> _environment;

    private Instance(string home, Dictionary<string, string> environment)
    {
        _home = home;
        _environment = environment;
    }

    /// <summary>The repository's root.</summary>
    public static string Repository { get; } = FindRepository();

    /// <summary>Where the instance keeps its state.</summary>
    public string Home => _home;

    /// <summary>The first API key.</summary>
    public string Key { get; private set; } = "";

    /// <summary>The JSON endpoint.</summary>
    public Uri Endpoint { get; private set; } = new("http://127.0.0.1");

    /// <summary>A client that sends the first API key.</summary>
    public BoxesClient Boxes { get; private set; } = null!;

    /// <summary>The native endpoint.</summary>
    public GrpcChannel Channel { get; private set; } = null!;

    /// <summary>A client of the native endpoint, with the first API key.</summary>
    public NativeClient Native => new(Channel, Credentials);

    /// <summary>The metadata of a native call with the first API key.</summary>
    public Metadata Credentials => new() { { "authorization", "Bearer " + Key } };

    /// <summary>Brings an instance up.</summary>
    /// <param name="name">Stands in the home directory's name.</param>
    /// <param name="settings">Environment of the services, such as <c>CORRAL_CONFIG_…</c>.</param>
    public static async Task<Instance> StartAsync(string name, IReadOnlyDictionary<string, string>? settings = null)
    {
        var home = Directory.CreateTempSubdirectory($"corral-{name}-").FullName;
        var (json, grpc) = (FreePort(), FreePort());
        var environment = new Dictionary<string, string>(settings ?? new Dictionary<string, string>())
        {
            ["CORRAL_HOME"] = home,
            ["CORRAL_LISTEN"] = $"127.0.0.1:{json}",
            ["CORRAL_GRPC_LISTEN"] = $"127.0.0.1:{grpc}",
        };
        // Tests and benches ask more often than a client may; those of the limits themselves turn them on.
        environment.TryAdd("CORRAL_CONFIG_RateLimits__Enabled", "false");
        environment.TryAdd("CORRAL_TEMPLATES", Environment.GetEnvironmentVariable("CORRAL_TEMPLATES") ?? "/var/lib/corral/templates");
        var instance = new Instance(home, environment);
        try
        {
            await instance.CorralAsync("up", "--detach");
            instance.Key = (await instance.CorralAsync("key")).Trim();
            instance.Endpoint = new Uri($"http://127.0.0.1:{json}");
            instance.Boxes = new BoxesClient(instance.Endpoint, instance.Key);
            instance.Channel = GrpcChannel.ForAddress($"http://127.0.0.1:{grpc}");
            return instance;
        }
        catch (Exception exception)
        {
            var logs = await instance.LogsAsync();
            await instance.DisposeAsync();
            throw new InvalidOperationException(exception.Message + "\n" + logs, exception);
        }
    }

    /// <summary>Runs <c>./corral</c> for this instance; fails when it does.</summary>
    public async Task<string> CorralAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(Repository, "corral"), arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        foreach (var (name, value) in _environment)
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(6));
        try
        {
            await process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"./corral {string.Join(' ', arguments)} took over 6 minutes.");
        }

        return process.ExitCode == 0
            ? await output
            : throw new InvalidOperationException($"./corral {string.Join(' ', arguments)} ended with {process.ExitCode}.\n{await output}\n{await errors}");
    }

    /// <summary>The services and their processes, by name.</summary>
    public async Task<IReadOnlyDictionary<string, (string State, int Pid)>> ServicesAsync()
    {
        using var status = JsonDocument.Parse(await CorralAsync("status", "--json"));
        return status.RootElement.GetProperty("services").EnumerateArray().ToDictionary(
            s => s.GetProperty("name").GetString()!,
            s => (s.GetProperty("state").GetString()!, s.TryGetProperty("pid", out var pid) && pid.ValueKind == JsonValueKind.Number ? pid.GetInt32() : 0));
    }

    /// <summary>Kills one service's process, as a crash would.</summary>
    public async Task KillAsync(string service)
    {
        var (_, pid) = (await ServicesAsync())[service];
        using var process = Process.GetProcessById(pid);
        process.Kill();
        await process.WaitForExitAsync();
    }

    /// <summary>The end of every service's log.</summary>
    public async Task<string> LogsAsync()
    {
        var logs = Path.Combine(_home, "logs");
        if (!Directory.Exists(logs))
        {
            return "";
        }

        var tails = new List<string>();
        foreach (var file in Directory.EnumerateFiles(logs).Order())
        {
            var lines = await File.ReadAllLinesAsync(file);
            tails.Add($"--- {Path.GetFileName(file)}\n" + string.Join('\n', lines.TakeLast(15)));
        }

        return string.Join('\n', tails);
    }

    /// <summary>Takes the instance down, and its home away.</summary>
    public async ValueTask DisposeAsync()
    {
        Boxes?.Dispose();
        Channel?.Dispose();
        try
        {
            await CorralAsync("down");
        }
        finally
        {
            Directory.Delete(_home, recursive: true);
        }
    }

    private static string FindRepository()
    {
        if (Environment.GetEnvironmentVariable("CORRAL_REPOSITORY") is { Length: > 0 } named)
        {
            return named;
        }

        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "global.json")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException("Set CORRAL_REPOSITORY to the repository's root.");
    }

    /// <summary>A port of the loopback that nobody listens on.</summary>
    public static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}
