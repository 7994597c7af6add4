using System.Diagnostics;
using System.Net.Sockets;

namespace Corral.Tests.Support;

/// <summary>A redis-server of the test's own, on a Unix socket, append-only.</summary>
public sealed class RedisServer : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly string _folder = Directory.CreateTempSubdirectory("corral-redis-").FullName;
    private Process? _process;

    /// <summary>The socket's path.</summary>
    public string SocketPath => Path.Combine(_folder, "redis.sock");

    /// <summary>Starts a server that answers.</summary>
    public static async Task<RedisServer> StartAsync()
    {
        var server = new RedisServer();
        await server.RestartAsync();
        return server;
    }

    /// <summary>Starts it, or starts it again with what it had written.</summary>
    public async Task RestartAsync()
    {
        File.Delete(SocketPath);
        _process = Process.Start(new ProcessStartInfo("redis-server",
            ["--port", "0", "--unixsocket", SocketPath, "--dir", _folder, "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--loglevel", "warning"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        }) ?? throw new InvalidOperationException("redis-server did not start.");
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        await Eventually.Async("redis-server answers", Patience, AnswersAsync);
    }

    /// <summary>All that it wrote to its disk since it was started, as text.</summary>
    public async Task<string> AppendedAsync()
    {
        var files = Directory.EnumerateFiles(_folder, "*", SearchOption.AllDirectories).Where(path => path != SocketPath);
        return string.Concat(await Task.WhenAll(files.Select(path => File.ReadAllTextAsync(path, System.Text.Encoding.Latin1))));
    }

    /// <summary>Kills it, as a crash would.</summary>
    public void Kill()
    {
        _process!.Kill();
        _process.WaitForExit();
        _process.Dispose();
        _process = null;
    }

    /// <summary>Ends it and removes its files.</summary>
    public ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            Kill();
        }

        Directory.Delete(_folder, recursive: true);
        return ValueTask.CompletedTask;
    }

    private async Task<bool> AnswersAsync()
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(SocketPath));
            await socket.SendAsync("PING\r\n"u8.ToArray());
            var answer = new byte[64];
            var length = await socket.ReceiveAsync(answer);
            return answer.AsSpan(0, length).StartsWith("+PONG"u8);
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
