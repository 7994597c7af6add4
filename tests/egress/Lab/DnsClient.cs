using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Corral.Egress.Tests.Lab;

/// <summary>What the resolver answered.</summary>
internal sealed record DnsResult(int Code, IPAddress? Address, int? ExtendedError, int Answers);

/// <summary>A resolver's client of the tests' own.</summary>
internal static class DnsClient
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);
    private static readonly byte[] Opt = [0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 0];

    public static byte[] Query(string name, int type, ushort id = 0x1234)
    {
        using var message = new MemoryStream();
        message.Write([(byte)(id >> 8), (byte)id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
        foreach (var label in name.Split('.', StringSplitOptions.RemoveEmptyEntries))
        {
            message.WriteByte((byte)label.Length);
            message.Write(Encoding.Latin1.GetBytes(label));
        }

        message.Write([0, (byte)(type >> 8), (byte)type, 0, 1]);
        message.Write(Opt);
        return message.ToArray();
    }

    public static async Task<DnsResult> AskAsync(TestBox box, string name, int type, IPAddress? resolver) =>
        Read(await ExchangeAsync(box, Query(name, type), resolver));

    public static async Task<byte[]> ExchangeAsync(TestBox box, byte[] query, IPAddress? resolver = null)
    {
        using var socket = await box.Inside.SocketAsync(SocketType.Dgram);
        await socket.ConnectAsync(new IPEndPoint(resolver ?? IPAddress.Parse("100.64.0.1"), 53));
        await socket.SendAsync(query);
        using var patience = new CancellationTokenSource(Patience);
        var buffer = new byte[4096];
        return buffer[..await socket.ReceiveAsync(buffer, patience.Token)];
    }

    public static DnsResult Read(byte[] answer)
    {
        var answers = (answer[6] << 8) | answer[7];
        var at = 12;
        while (at < answer.Length && answer[at] != 0) at += answer[at] + 1;
        at += 5;
        IPAddress? address = null;
        for (var i = 0; i < answers; i++, at += 16) address = new IPAddress(answer.AsSpan(at + 12, 4));
        int? error = answer.Length >= at + 17 && answer[at + 2] == 41 ? (answer[at + 15] << 8) | answer[at + 16] : null;
        return new DnsResult(answer[3] & 15, address, error, answers);
    }
}
