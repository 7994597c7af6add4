using System.Diagnostics;
using System.Net.Sockets;

namespace Corral.Bench;

/// <summary><c>docker run</c> on a dockerd of our own, on a private socket, with the base template as its image.</summary>
internal sealed class DockerPeer : IAsyncDisposable
{
    private readonly string _folder;
    private readonly Process _daemon;

    private DockerPeer(string folder, Process daemon)
    {
        _folder = folder;
        _daemon = daemon;
    }

    private string Host => $"unix://{_folder}/docker.sock";

    public static async Task<DockerPeer> StartAsync(TemplateRoot root)
    {
        var folder = Directory.CreateTempSubdirectory("corral-dockerd-").FullName;
        var daemon = Process.Start(new ProcessStartInfo("/usr/sbin/dockerd",
        [
            "-H", $"unix://{folder}/docker.sock", "--data-root", folder + "/data", "--exec-root", folder + "/exec",
            "--pidfile", folder + "/docker.pid", "--bridge=none", "--iptables=false", "--ip6tables=false",
            "--exec-opt", "native.cgroupdriver=cgroupfs", "--log-level", "error",
        ])
        { RedirectStandardError = true, RedirectStandardOutput = true })!;
        daemon.BeginErrorReadLine();
        daemon.BeginOutputReadLine();
        var peer = new DockerPeer(folder, daemon);
        await peer.AnswersAsync();
        var tar = Path.Combine(folder, "root.tar");
        await Command.RunAsync("tar", "-C", root.Path, "-cf", tar, ".");
        await peer.DockerAsync("import", tar, "corral-bench");
        File.Delete(tar);
        return peer;
    }

    /// <summary>One life: created, <c>true</c> run in it, gone.</summary>
    public Task RunTrueAsync() => DockerAsync("run", "--rm", "--network", "none", "corral-bench", "true");

    public async ValueTask DisposeAsync()
    {
        await Command.RunAsync("kill", "-TERM", _daemon.Id.ToString(System.Globalization.CultureInfo.InvariantCulture));
        await _daemon.WaitForExitAsync();
        _daemon.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private Task DockerAsync(params string[] arguments) => Command.RunAsync("docker", ["-H", Host, .. arguments]);

    private async Task AnswersAsync()
    {
        var patience = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint($"{_folder}/docker.sock"));
                return;
            }
            catch (SocketException) when (patience.Elapsed < TimeSpan.FromSeconds(60) && !_daemon.HasExited)
            {
                await Task.Delay(100);
            }
        }
    }
}
