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
    private Task _readable = Task.CompletedTask;

    public Task<bool> UpAsync() => CopyAsync(Task.CompletedTask, _client, upstream, flow.AddSent, EndUpstreamAsync);

    // TLS takes one read at a time: the one that looks for a first byte ends before the next.
    public Task<bool> DownAsync() => CopyAsync(_readable, upstream, _client, flow.AddReceived, () =>
    {
        flow.Client.Shutdown(SocketShutdown.Send);
        return Task.CompletedTask;
    });

    public Task UpstreamReadableAsync() => _readable = WaitAsync(upstream);

    public void Abort() => _over.Cancel();

    public void Dispose()
    {
        _over.Dispose();
        _client.Dispose();
    }

    private async Task<bool> CopyAsync(Task before, Stream from, Stream to, Action<long> count, Func<Task> end)
    {
        try
        {
            await before;
            while (true)
            {
                await WaitAsync(from);
                if (!await CopyOnceAsync(from, to, count)) break;
            }

            await end();
            return true;
        }
        catch (Exception)
        {
            // Whatever it was: who waits for the other direction would wait for ever.
            await _over.CancelAsync();
            return false;
        }
    }

    // A connection that waits holds no buffer.
    private async Task WaitAsync(Stream from) => _ = await from.ReadAsync(Memory<byte>.Empty, _over.Token);

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
