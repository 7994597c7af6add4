using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using Corral.GuestLink;
using Corral.Tests.Support;

namespace Corral.Guest.Tests;

/// <summary>
/// The real guest as PID 1 of namespaces of its own, on the host's root file system with a writable layer above it that is gone afterwards.
/// </summary>
internal sealed class GuestBox : IAsyncDisposable
{
    private const int Port = 7007;
    private const int NewNetwork = 0x40000000;

    // $1 the layer's place, $2 the guest, $3 its settings.
    private const string Start = """
        set -e
        mount -t tmpfs tmpfs "$1"
        mkdir "$1/up" "$1/work" "$1/root"
        mount -t overlay overlay -o "lowerdir=/,upperdir=$1/up,workdir=$1/work" "$1/root"
        cd "$1/root"
        mount -t proc proc proc
        mount -t tmpfs tmpfs dev
        mkdir dev/pts dev/shm
        mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts dev/pts
        ln -s pts/ptmx dev/ptmx
        mknod -m 666 dev/null c 1 3; mknod -m 666 dev/zero c 1 5; mknod -m 666 dev/full c 1 7; mknod -m 666 dev/urandom c 1 9; mknod -m 666 dev/tty c 5 0
        mount -t tmpfs -o mode=1777 tmpfs tmp
        mount -t tmpfs -o mode=1777 tmpfs dev/shm
        mkdir -p workspace run/corral
        chown 1000:1000 workspace
        cp "$2" run/corral/guest
        echo "$3" > run/corral/settings.json
        ip link set lo up
        exec chroot . /usr/bin/env -i GUEST_ONLY=secret /run/corral/guest /run/corral/settings.json
        """;

    private readonly Process _process;
    private readonly string _layer;

    private GuestBox(Process process, string layer, byte[] token)
    {
        _process = process;
        _layer = layer;
        Token = token;
        Client = new GuestClient(_ => Task.Run<Stream>(() => new NetworkStream(Connect(), ownsSocket: true)), Token);
    }

    public byte[] Token { get; }

    public GuestClient Client { get; }

    /// <summary>The guest's process, as the host numbers it.</summary>
    public int Pid { get; private set; }

    public static async Task<GuestBox> StartAsync(string? peer = null)
    {
        RequiredHost.Check();
        var token = RandomNumberGenerator.GetBytes(Frame.TokenLength);
        var settings = JsonSerializer.Serialize(new GuestSettings($"127.0.0.1:{Port}", Convert.ToHexStringLower(SHA256.HashData(token)), peer), GuestJson.Default.GuestSettings);
        var layer = Directory.CreateTempSubdirectory("corral-guest-").FullName;
        string[] arguments = ["--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child", "bash", "-c", Start, "guest", layer, GuestProgram.Path, settings];
        var process = Process.Start(new ProcessStartInfo("unshare", arguments) { RedirectStandardInput = true })!;
        var box = new GuestBox(process, layer, token);
        try
        {
            await Eventually.Async("the guest runs and listens", TimeSpan.FromSeconds(30), box.IsUpAsync);
            return box;
        }
        catch
        {
            await box.DisposeAsync();
            throw;
        }
    }

    /// <summary>A connection that has sent nothing yet.</summary>
    public Socket Connect(string from = "127.0.0.1")
    {
        Socket? socket = null;
        Exception? problem = null;
        // A thread that enters another network must not be used for anything else.
        var thread = new Thread(() =>
        {
            try
            {
                using var network = File.OpenHandle($"/proc/{Pid}/ns/net");
                if (Setns((int)network.DangerousGetHandle(), NewNetwork) != 0) throw new IOException($"setns: {Marshal.GetLastPInvokeErrorMessage()}");
                socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                socket.Bind(new IPEndPoint(IPAddress.Parse(from), 0));
                socket.Connect(IPAddress.Loopback, Port);
            }
            catch (Exception exception) when (exception is SocketException or IOException)
            {
                socket?.Dispose();
                problem = new IOException("The guest is not there.", exception);
            }
        });
        thread.Start();
        thread.Join();
        return problem is null ? socket! : throw problem;
    }

    /// <summary>A frame as it goes over a connection.</summary>
    public static byte[] Framed(byte kind, ReadOnlySpan<byte> payload) => [kind, .. BitConverter.GetBytes(payload.Length), .. payload];

    /// <summary>A connection that proved the token and asked for this.</summary>
    public Socket Ask(ReadOnlySpan<byte> request)
    {
        var socket = Connect();
        socket.Send(Token);
        socket.Send(Framed(Frame.Request, request));
        return socket;
    }

    /// <summary>A number of /proc/PID/status, such as VmRSS in KiB.</summary>
    public long Status(string name) => long.Parse(
        File.ReadLines($"/proc/{Pid}/status").First(line => line.StartsWith(name + ":", StringComparison.Ordinal)).Split((char[])[':', '\t', ' '], StringSplitOptions.RemoveEmptyEntries)[1],
        CultureInfo.InvariantCulture);

    /// <summary>What the guest's own process has used of the processor.</summary>
    public TimeSpan ProcessorTime()
    {
        using var process = Process.GetProcessById(Pid);
        return process.TotalProcessorTime;
    }

    /// <summary>A path of the sandbox, seen from outside.</summary>
    public string Outside(string path) => $"/proc/{Pid}/root{path}";

    public async ValueTask DisposeAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        // Its namespaces, and with them every mount below, end with the last process in them.
        await Eventually.Async("nothing of the guest is left", () => Pid == 0 || !Directory.Exists($"/proc/{Pid}"));
        Directory.Delete(_layer);
    }

    private async Task<bool> IsUpAsync()
    {
        if (_process.HasExited) throw new InvalidOperationException("The guest ended at its start.");
        if (!int.TryParse((await File.ReadAllTextAsync($"/proc/{_process.Id}/task/{_process.Id}/children")).Trim(), out var child)) return false;
        Pid = child;
        try
        {
            await Client.PingAsync(CancellationToken.None);
            return true;
        }
        catch (Exception problem) when (problem is GuestException or IOException)
        {
            return false;
        }
    }

    [DllImport("libc", EntryPoint = "setns", SetLastError = true)]
    private static extern int Setns(int fd, int kind);
}
