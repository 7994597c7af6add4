using System.Buffers;
using System.Net.Sockets;
using Corral.Egress.Dialing.Proxies;

namespace Corral.Egress.Flows;

/// <summary>Carries bytes through this process, because the way out changes them (TLS to a proxy).</summary>
internal sealed class StreamRelay(Flow flow, Stream upstream) : IRelay
{
    private const int BufferSize = 64 * 1024;
    private readonly NetworkStream _client = new(flow.Client, ownsSocket: false);
    private readonly CancellationTokenSource _over = CancellationTokenSource.CreateLinkedTokenSource(flow.Closing);

    public Task<bool> UpAsync() => CopyAsync(_client, upstream, flow.AddSent, EndUpstreamAsync);

    public Task<bool> DownAsync() => CopyAsync(upstream, _client, flow.AddReceived, () =>
    {
        flow.Client.Shutdown(SocketShutdown.Send);
        return Task.CompletedTask;
    });

    public async Task UpstreamReadableAsync() => _ = await upstream.ReadAsync(Memory<byte>.Empty, _over.Token);

    public void Abort() => _over.Cancel();

    public void Dispose()
    {
        _over.Dispose();
        _client.Dispose();
    }

    private async Task<bool> CopyAsync(Stream from, Stream to, Action<long> count, Func<Task> end)
    {
        try
        {
            while (true)
            {
                // A connection that waits holds no buffer.
                _ = await from.ReadAsync(Memory<byte>.Empty, _over.Token);
                if (!await CopyOnceAsync(from, to, count)) break;
            }

            await end();
            return true;
        }
        catch (Exception problem) when (problem is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            await _over.CancelAsync();
            return false;
        }
    }

    private async Task<bool> CopyOnceAsync(Stream from, Stream to, Action<long> count)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
        try
        {
            var read = await from.ReadAsync(buffer, _over.Token);
            if (read == 0) return false;
            await to.WriteAsync(buffer.AsMemory(0, read), _over.Token);
            count(read);
            await flow.Sandbox.Limiter.CarriedAsync(read, _over.Token);
            return true;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private Task EndUpstreamAsync() => upstream is TlsTunnel tls ? tls.EndAsync() : Task.CompletedTask;
}
