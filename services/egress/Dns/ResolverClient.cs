using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Corral.Egress.Dns;

/// <summary>Asks the resolvers, one after the other, twice: one alone in less than the ten seconds that its clients wait.</summary>
/// <remarks>Every question has a socket of its own, with a port of the kernel's choice, and an id that cannot be guessed.</remarks>
internal sealed class ResolverClient(EgressOptions options, TimeProvider clock)
{
    private const int MaxDatagram = 4096;
    // The second time, the resolver may have to ask others first.
    private static readonly ImmutableArray<TimeSpan> Rounds = [TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(6)];
    private readonly ImmutableArray<IPEndPoint> _resolvers = ResolverAddresses.Of(options);

    /// <summary>The reply to a question, or null when no resolver gave one.</summary>
    public async Task<DnsReply?> AskAsync(string name, ushort type, CancellationToken cancellationToken)
    {
        foreach (var patience in Rounds)
        {
            foreach (var resolver in _resolvers)
            {
                var reply = await AskAsync(resolver, name, type, patience, cancellationToken);
                if (reply is { Code: DnsCode.NoError or DnsCode.NameError }) return reply;
            }
        }

        return null;
    }

    private async Task<DnsReply?> AskAsync(IPEndPoint resolver, string name, ushort type, TimeSpan patience, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(patience, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        var question = DnsQuestion.Write((ushort)RandomNumberGenerator.GetInt32(ushort.MaxValue + 1), name, type);
        try
        {
            var reply = await AskByUdpAsync(resolver, question, type, either.Token);
            return reply.IsTruncated ? await AskByTcpAsync(resolver, question, type, either.Token) : reply;
        }
        catch (Exception problem) when (problem is SocketException or IOException || (problem is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return null;
        }
    }

    private static async Task<DnsReply> AskByUdpAsync(IPEndPoint resolver, byte[] question, ushort type, CancellationToken cancellationToken)
    {
        using var socket = new Socket(resolver.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        await socket.ConnectAsync(resolver, cancellationToken);
        await socket.SendAsync(question, cancellationToken);
        var buffer = new byte[MaxDatagram];
        while (true)
        {
            var length = await socket.ReceiveAsync(buffer, cancellationToken);
            // Anything else is late, or forged.
            if (DnsReply.Read(buffer.AsSpan(0, length), question, type) is { } reply) return reply;
        }
    }

    private static async Task<DnsReply?> AskByTcpAsync(IPEndPoint resolver, byte[] question, ushort type, CancellationToken cancellationToken)
    {
        using var socket = new Socket(resolver.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(resolver, cancellationToken);
        await using var stream = new NetworkStream(socket);
        await DnsFraming.WriteAsync(stream, question, cancellationToken);
        return await DnsFraming.ReadAsync(stream, cancellationToken) is { } message ? DnsReply.Read(message, question, type) : null;
    }
}
