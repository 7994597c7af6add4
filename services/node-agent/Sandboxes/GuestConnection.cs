using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json;
using Corral.GuestLink;
using Corral.NodeAgent.Host;
using Corral.NodeAgent.Networks;
using Corral.NodeAgent.Storage;

namespace Corral.NodeAgent.Sandboxes;

/// <summary>How guests are started and reached.</summary>
internal sealed class GuestConnection(GateDialer dialer, TimeProvider clock)
{
    public const string SettingsPath = "/run/corral/settings.json";

    public const int Port = 7007;
    private static readonly TimeSpan Attempt = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(1);

    /// <summary>Puts the guest's settings where it finds them, in the box's own layer. They prove nothing to anybody: the token is not in them.</summary>
    public static void WriteSettings(WritableLayer layer, string token, int owner)
    {
        var directory = layer.Upper;
        foreach (var part in new[] { "run", "corral" })
        {
            directory = Path.Combine(directory, part);
            Directory.CreateDirectory(directory);
            if (owner != 0) Libc.Check(Libc.chown(directory, owner, owner), "chown");
        }

        var path = Path.Combine(directory, Path.GetFileName(SettingsPath));
        var proof = Convert.ToHexStringLower(SHA256.HashData(Convert.FromHexString(token)));
        var settings = new GuestSettings($"{BoxNetwork.BoxAddress}:{Port}", proof, BoxNetwork.GateAddress.ToString());
        File.WriteAllBytes(path, JsonSerializer.SerializeToUtf8Bytes(settings, GuestJson.Default.GuestSettings));
        if (owner != 0) Libc.Check(Libc.chown(path, owner, owner), "chown");
    }

    /// <summary>A client whose connections break when the box is gone: a kernel in user space dies without a word to its peers.</summary>
    public GuestClient Open(BoxNetwork network, string token, CancellationToken gone) =>
        new(cancel => DialAsync(network, gone, cancel), Convert.FromHexString(token));

    /// <summary>Waits until the guest answers, or its process is gone.</summary>
    public async Task WaitAsync(Box box, CancellationToken cancellationToken)
    {
        while (true)
        {
            if (box.Died is { IsCompleted: true } died) throw new HostException($"The guest ended before it answered: {(await died).Reason}.");
            try
            {
                using var patience = new CancellationTokenSource(Attempt, clock);
                using var both = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
                await box.Guest.PingAsync(both.Token);
                return;
            }
            catch (Exception problem) when (!cancellationToken.IsCancellationRequested && problem is GuestException or SocketException or OperationCanceledException)
            {
                await Task.Delay(Pause, clock, cancellationToken);
            }
        }
    }

    // A gate that is closed, or being removed, is a guest that does not answer like any other.
    private async Task<Stream> DialAsync(BoxNetwork network, CancellationToken gone, CancellationToken cancellationToken)
    {
        try
        {
            return new GuestSocketStream(await dialer.DialAsync(network, Port, cancellationToken), gone);
        }
        catch (Exception problem) when (problem is HostException or ObjectDisposedException)
        {
            throw new IOException("The sandbox is gone.", problem);
        }
    }

    private sealed class GuestSocketStream(Socket socket, CancellationToken gone) : NetworkStream(socket, ownsSocket: true)
    {
        private readonly CancellationTokenRegistration _registration = gone.Register(socket.Dispose);

        public override async Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            await WriteAsync(buffer.AsMemory(offset, count), cancellationToken);

        public override async Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            await ReadAsync(buffer.AsMemory(offset, count), cancellationToken);

        // A socket that was closed under us is a broken connection like any other.
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            try
            {
                return await base.ReadAsync(buffer, cancellationToken);
            }
            catch (ObjectDisposedException problem)
            {
                throw new IOException("The sandbox is gone.", problem);
            }
        }

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            try
            {
                await base.WriteAsync(buffer, cancellationToken);
            }
            catch (ObjectDisposedException problem)
            {
                throw new IOException("The sandbox is gone.", problem);
            }
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing) _registration.Unregister();
            base.Dispose(disposing);
        }
    }
}
