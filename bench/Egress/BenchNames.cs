using System.Net;
using System.Net.Sockets;

namespace Corral.Bench.Egress;

/// <summary>A name server that knows one address for every name.</summary>
internal sealed class BenchNames : IDisposable
{
    private readonly UdpClient _socket = new(new IPEndPoint(IPAddress.Parse(BenchNetwork.Origin), 0));

    public BenchNames() => _ = ServeAsync();

    public string Address => _socket.Client.LocalEndPoint!.ToString()!;

    public void Dispose() => _socket.Dispose();

    private async Task ServeAsync()
    {
        try
        {
            while (true)
            {
                var question = await _socket.ReceiveAsync();
                await _socket.SendAsync(Answer(question.Buffer), question.RemoteEndPoint);
            }
        }
        catch (Exception problem) when (problem is SocketException or ObjectDisposedException)
        {
            // The bench is over.
        }
    }

    // RFC 1035, section 4.1: the header and the question again, and for an A question one record that points to its name.
    private static byte[] Answer(byte[] question)
    {
        var end = 12;
        while (question[end] != 0)
        {
            end += question[end] + 1;
        }

        var isA = question[end + 2] == 1;
        byte[] header = [question[0], question[1], 0x81, 0x80, 0, 1, 0, (byte)(isA ? 1 : 0), 0, 0, 0, 0];
        byte[] record = isA ? [0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 0, 0, 4, .. IPAddress.Parse(BenchNetwork.Origin).GetAddressBytes()] : [];
        return [.. header, .. question[12..(end + 5)], .. record];
    }
}
