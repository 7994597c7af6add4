using System.Net.Sockets;
using System.Text;

namespace Corral.Egress.Tests.Lab;

/// <summary>One connection from inside a box.</summary>
internal sealed class TestClient(Socket socket) : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    public Socket Socket { get; } = socket;

    public async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        using var patience = new CancellationTokenSource(Patience);
        await Socket.SendAsync(bytes, patience.Token);
    }

    public Task SendAsync(string text) => SendAsync(Encoding.Latin1.GetBytes(text));

    /// <summary>What comes until the other side ends it; "reset" behind it when it does so with a reset.</summary>
    public async Task<string> ReadAllAsync()
    {
        using var patience = new CancellationTokenSource(Patience);
        var text = new StringBuilder();
        var buffer = new byte[16 * 1024];
        try
        {
            while (await Socket.ReceiveAsync(buffer, patience.Token) is > 0 and var read) text.Append(Encoding.Latin1.GetString(buffer, 0, read));
        }
        catch (SocketException)
        {
            text.Append("reset");
        }

        return text.ToString();
    }

    /// <summary>What comes, as much as was expected.</summary>
    public async Task<string> ReadAsync(int length)
    {
        using var patience = new CancellationTokenSource(Patience);
        var buffer = new byte[length];
        for (var at = 0; at < length;)
        {
            var read = await Socket.ReceiveAsync(buffer.AsMemory(at), patience.Token);
            if (read == 0) throw new IOException($"It ended after {at} of {length} bytes.");
            at += read;
        }

        return Encoding.Latin1.GetString(buffer);
    }

    public async Task<string> AskAsync(string text)
    {
        await SendAsync(text);
        return await ReadAsync(text.Length);
    }

    public void Dispose() => Socket.Dispose();
}
