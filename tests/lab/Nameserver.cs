using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Corral.Tests.Lab;

/// <summary>The resolver that egress asks. It knows some names, answers slowly or wrongly where a test wants it, and remembers what it was asked.</summary>
internal sealed class Nameserver : IDisposable
{
    private readonly Socket _udp;
    private readonly Socket _tcp;

    public Nameserver(Socket udp, Socket tcp, IPAddress address)
    {
        (_udp, _tcp) = (udp, tcp);
        _udp.Bind(new IPEndPoint(address, 53));
        _ = Task.Run(ServeUdpAsync);
        _ = Task.Run(ServeTcpAsync);
    }

    /// <summary>The addresses of names that are not in the zone; null for a name that does not exist.</summary>
    public Func<string, IPAddress[]?> Unlisted { get; set; } = static _ => null;

    /// <summary>Addresses by name.</summary>
    public ConcurrentDictionary<string, IPAddress[]> Zone { get; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Names whose answers by UDP say that they are truncated.</summary>
    public ConcurrentDictionary<string, bool> Truncated { get; } = new();

    /// <summary>What is sent in place of an answer, made from the question.</summary>
    public ConcurrentDictionary<string, Func<byte[], byte[][]>> Forged { get; } = new();

    /// <summary>How long answers hold, in seconds.</summary>
    public int TimeToLive { get; set; } = 60;

    public ConcurrentQueue<string> Asked { get; } = [];

    /// <summary>An answer with these addresses.</summary>
    public static byte[] Answer(byte[] query, IReadOnlyList<IPAddress> addresses, int time, bool truncated = false, int code = 0)
    {
        var (_, type, end) = Read(query);
        var fitting = addresses.Where(a => (a.AddressFamily == AddressFamily.InterNetwork ? 1 : 28) == type).ToList();
        if (truncated) fitting.Clear();
        using var message = new MemoryStream();
        message.Write(query.AsSpan(0, end));
        foreach (var address in fitting)
        {
            var bytes = address.GetAddressBytes();
            message.Write([0xC0, 12, 0, (byte)type, 0, 1, 0, 0, (byte)(time >> 8), (byte)time, 0, (byte)bytes.Length]);
            message.Write(bytes);
        }

        var answer = message.ToArray();
        answer[2] = (byte)(0x81 | (truncated ? 2 : 0));
        answer[3] = (byte)(0x80 | code);
        BinaryPrimitives.WriteUInt16BigEndian(answer.AsSpan(6), (ushort)fitting.Count);
        BinaryPrimitives.WriteUInt32BigEndian(answer.AsSpan(8), 0);
        return answer;
    }

    public void Dispose()
    {
        _udp.Dispose();
        _tcp.Dispose();
    }

    private static (string Name, int Type, int End) Read(byte[] query)
    {
        var name = new StringBuilder();
        var at = 12;
        for (; query[at] != 0; at += query[at] + 1) name.Append(name.Length > 0 ? "." : "").Append(Encoding.ASCII.GetString(query, at + 1, query[at]));
        return (name.ToString(), (query[at + 1] << 8) | query[at + 2], at + 5);
    }

    private byte[][] AnswersTo(byte[] query, bool tcp)
    {
        var (name, _, _) = Read(query);
        Asked.Enqueue(name);
        if (Forged.TryGetValue(name, out var forge)) return forge(query);
        var addresses = Zone.TryGetValue(name, out var known) ? known : Unlisted(name);
        return [addresses is null ? Answer(query, [], 0, code: 3) : Answer(query, addresses, TimeToLive, !tcp && Truncated.ContainsKey(name))];
    }

    private async Task ServeUdpAsync()
    {
        var buffer = new byte[4096];
        while (true)
        {
            var received = await _udp.ReceiveFromAsync(buffer, new IPEndPoint(IPAddress.Any, 0));
            foreach (var answer in AnswersTo(buffer[..received.ReceivedBytes], tcp: false)) await _udp.SendToAsync(answer, received.RemoteEndPoint);
        }
    }

    private async Task ServeTcpAsync()
    {
        while (true)
        {
            using var socket = await _tcp.AcceptAsync();
            await using var stream = new NetworkStream(socket);
            var prefix = new byte[2];
            await stream.ReadExactlyAsync(prefix);
            var query = new byte[BinaryPrimitives.ReadUInt16BigEndian(prefix)];
            await stream.ReadExactlyAsync(query);
            foreach (var answer in AnswersTo(query, tcp: true))
            {
                await stream.WriteAsync(new[] { (byte)(answer.Length >> 8), (byte)answer.Length });
                await stream.WriteAsync(answer);
            }
        }
    }
}
