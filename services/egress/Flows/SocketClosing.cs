using System.Net.Sockets;

namespace Corral.Egress.Flows;

/// <summary>The two ways to end a connection.</summary>
internal static class SocketClosing
{
    private const int MostDrained = 256 * 1024;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <summary>With a reset: the peer sees that it was cut, and does not take it for the end of what was sent.</summary>
    public static void Abort(this Socket socket)
    {
        try
        {
            socket.LingerState = new LingerOption(true, 0);
        }
        catch (Exception problem) when (problem is SocketException or ObjectDisposedException)
        {
            // It is gone already.
        }

        socket.Dispose();
    }

    /// <summary>Sends last words, and waits for the peer to have read them: what it sent meanwhile would turn the end into a reset.</summary>
    public static async Task SayAndCloseAsync(this Socket socket, ReadOnlyMemory<byte> words, TimeProvider clock)
    {
        using var patience = new CancellationTokenSource(Patience, clock);
        try
        {
            await socket.SendAsync(words, patience.Token);
            socket.Shutdown(SocketShutdown.Send);
            var scrap = new byte[4096];
            for (int read, all = 0; all < MostDrained; all += read)
            {
                read = await socket.ReceiveAsync(scrap, patience.Token);
                if (read == 0) break;
            }
        }
        catch (Exception problem) when (problem is SocketException or OperationCanceledException)
        {
            // It did not listen.
        }

        socket.Dispose();
    }
}
