using System.Buffers;
using System.Net.Sockets;

namespace Corral.Egress.Flows;

/// <summary>Looks at a connection's first bytes and leaves them where they are, so that whoever serves it reads all of it.</summary>
internal sealed class HelloSniffer(EgressOptions options, TimeProvider clock)
{
    private const int UsualLength = 4096;
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(1), LongestPause = TimeSpan.FromMilliseconds(50);

    /// <param name="client">The connection.</param>
    /// <param name="wantsHost">Whether the host of an HTTP request is asked for.</param>
    /// <param name="silence">How long to wait for the very first byte; then <see cref="Hello.Silent"/>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<Hello> FirstAsync(Socket client, bool wantsHost, TimeSpan silence, CancellationToken cancellationToken)
    {
        if (!await AnyBytesAsync(client, silence, cancellationToken)) return Hello.Silent;
        var buffer = ArrayPool<byte>.Shared.Rent(UsualLength);
        try
        {
            var began = clock.GetTimestamp();
            for (var pause = ShortestPause; ; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
            {
                var length = await client.ReceiveAsync(buffer, SocketFlags.Peek, cancellationToken);
                if (length == 0) return Hello.Ended;
                var hello = HelloReader.Read(buffer.AsSpan(0, length), wantsHost);
                if (hello.State != HelloState.Incomplete || clock.GetElapsedTime(began) > options.HelloTimeout) return hello;
                if (length == buffer.Length) buffer = Larger(buffer);
                else await Task.Delay(pause, clock, cancellationToken);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static byte[] Larger(byte[] buffer)
    {
        ArrayPool<byte>.Shared.Return(buffer);
        return ArrayPool<byte>.Shared.Rent(buffer.Length * 2);
    }

    // Without a buffer: a connection that stays silent holds none.
    private async Task<bool> AnyBytesAsync(Socket client, TimeSpan silence, CancellationToken cancellationToken)
    {
        if (client.Available > 0) return true;
        using var patience = new CancellationTokenSource(silence, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            await client.ReceiveAsync(Memory<byte>.Empty, SocketFlags.None, either.Token);
            return true;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }
}
