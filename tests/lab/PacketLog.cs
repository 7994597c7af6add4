using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Corral.NodeAgent.Host;

namespace Corral.Tests.Lab;

/// <summary>Every IPv4 packet that arrives outside, whatever it is: what counts is what is on the wire.</summary>
internal sealed class PacketLog : IDisposable
{
    private const int AfPacket = 17, AllProtocols = 0x0300, EthernetHeader = 14;
    private readonly Socket _socket;

    private PacketLog(Socket socket) => _socket = socket;

    /// <summary>Source, destination and IP protocol.</summary>
    public ConcurrentQueue<(IPAddress From, IPAddress To, int Protocol)> Seen { get; } = [];

    public static async Task<PacketLog> StartAsync(NetworkSpace space)
    {
        var fd = await space.RunAsync(() => Libc.Check(Libc.socket(AfPacket, Libc.SockRaw | Libc.SockCloExec, AllProtocols), "packet socket"));
        var log = new PacketLog(new Socket(new SafeSocketHandle(fd, ownsHandle: true)));
        new Thread(log.Loop) { IsBackground = true, Name = "packet-log" }.Start();
        return log;
    }

    public void Dispose() => _socket.Dispose();

    private unsafe void Loop()
    {
        var frame = new byte[65536];
        while (!_socket.SafeHandle.IsClosed)
        {
            nint length;
            fixed (byte* buffer = frame) length = Libc.recv((int)_socket.SafeHandle.DangerousGetHandle(), buffer, (nuint)frame.Length, 0);
            if (length < 0 && Marshal.GetLastPInvokeError() != Libc.EIntr) return;
            if (length < EthernetHeader + 20 || frame[12] != 0x08 || frame[13] != 0) continue;
            var ip = frame.AsSpan(EthernetHeader);
            Seen.Enqueue((new IPAddress(ip.Slice(12, 4)), new IPAddress(ip.Slice(16, 4)), ip[9]));
        }
    }
}
