using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Corral.Sessions.Tests;

/// <summary>A receiver that answers whatever bytes it likes, for as long as it likes.</summary>
internal sealed class RawReceiver : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _over = new();

    /// <param name="answer">What is sent first.</param>
    /// <param name="then">What is sent after it, again and again; null to close.</param>
    /// <param name="pause">Between one and the next.</param>
    public RawReceiver(string answer, string? then, TimeSpan pause)
    {
        _listener.Start();
        _ = AcceptAsync(Encoding.ASCII.GetBytes(answer), then is null ? null : Encoding.ASCII.GetBytes(then), pause);
    }

    public string Url => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/";

    public void Dispose()
    {
        _over.Cancel();
        _listener.Dispose();
    }

    private async Task AcceptAsync(byte[] answer, byte[]? then, TimeSpan pause)
    {
        try
        {
            while (true)
            {
                _ = ServeAsync(await _listener.AcceptSocketAsync(_over.Token), answer, then, pause);
            }
        }
        catch (Exception problem) when (problem is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(Socket socket, byte[] answer, byte[]? then, TimeSpan pause)
    {
        using (socket)
        {
            try
            {
                await socket.ReceiveAsync(new byte[64 * 1024], _over.Token);
                await socket.SendAsync(answer, _over.Token);
                while (then is not null)
                {
                    await Task.Delay(pause, _over.Token);
                    await socket.SendAsync(then, _over.Token);
                }
            }
            catch (Exception problem) when (problem is SocketException or OperationCanceledException)
            {
                // The sender had enough.
            }
        }
    }
}
