using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json;
using Corral.GuestLink;

namespace Corral.Guest;

/// <summary>Takes connections; a thread for each, a few of which wait for the next. Whoever does not prove the token and ask within five seconds is dropped unheard.</summary>
internal static class Server
{
    private const int MaxConnections = 256;
    private const int MostWaiting = 4;
    private const int StackSize = 512 * 1024;
    private const long Patience = 5_000;
    private const int Farewell = 1_000;

    private static byte[] _tokenSha256 = [];
    private static IPAddress? _only;
    private static int _threads;
    private static int _waiting;

    public static void Run(GuestSettings settings)
    {
        // Nobody inside may trace us or read our memory.
        _ = Libc.prctl(Libc.PrSetDumpable, 0, 0, 0, 0);
        _ = Libc.prctl(Libc.PrSetChildSubreaper, 1, 0, 0, 0);
        _tokenSha256 = Convert.FromHexString(settings.TokenSha256);
        _only = settings.Peer is null ? null : IPAddress.Parse(settings.Peer);
        Reaper.Start();
        UserThread.Start();
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        listener.Bind(IPEndPoint.Parse(settings.Listen));
        listener.Listen(128);
        while (!TryStartAnother(listener))
        {
            Thread.Sleep(1);
        }

        Thread.Sleep(Timeout.Infinite);
    }

    // False when there are enough, or the sandbox is full of processes.
    private static bool TryStartAnother(Socket listener)
    {
        try
        {
            if (Interlocked.Increment(ref _threads) <= MaxConnections + 1)
            {
                Interlocked.Increment(ref _waiting);
                new Thread(() => TakeAll(listener), StackSize) { IsBackground = true }.Start();
                return true;
            }
        }
        catch (Exception exception) when (exception is OutOfMemoryException or ThreadStartException)
        {
            Interlocked.Decrement(ref _waiting);
        }

        Interlocked.Decrement(ref _threads);
        return false;
    }

    private static void TakeAll(Socket listener)
    {
        while (true)
        {
            var peer = Accept(listener);
            // The sandbox's own processes can connect too: they must not be able to take the places.
            if (_only is not null && !_only.Equals((peer.RemoteEndPoint as IPEndPoint)?.Address))
            {
                peer.Dispose();
                continue;
            }

            // Somebody always waits for the next one. Where nobody can, this caller is not heard, and the next may be.
            if (Interlocked.Decrement(ref _waiting) > 0 || TryStartAnother(listener))
            {
                Serve(peer);
            }
            else
            {
                peer.Dispose();
            }

            if (Interlocked.Increment(ref _waiting) > MostWaiting)
            {
                Interlocked.Decrement(ref _waiting);
                Interlocked.Decrement(ref _threads);
                return;
            }
        }
    }

    private static Socket Accept(Socket listener)
    {
        while (true)
        {
            try
            {
                return listener.Accept();
            }
            catch (SocketException)
            {
                // It left before it was taken.
            }
        }
    }

    private static void Serve(Socket peer)
    {
        try
        {
            using (peer)
            {
                peer.NoDelay = true;
                var deadline = Environment.TickCount64 + Patience;
                if (Prove(peer, deadline) && ReadRequest(peer, deadline) is { } request)
                {
                    peer.ReceiveTimeout = 0;
                    DoAll(request, (int)peer.Handle);
                }
            }
        }
        catch (Exception)
        {
            // Whatever breaks here is this connection's: PID 1 lives on. A peer that breaks the rules, or is gone, hears nothing.
        }
    }

    // One thing after another, as long as it is clear where the next begins.
    private static void DoAll(GuestRequest first, int socket)
    {
        var heard = new FrameReader();
        for (var request = first; request is not null; request = Next(socket, heard))
        {
            if (!Operations.Run(request, socket, heard))
            {
                AwaitFarewell(socket);
                return;
            }
        }
    }

    private static GuestRequest? Next(int socket, FrameReader heard)
    {
        while (Frames.Read(socket, heard, out var kind, out var payload))
        {
            if (kind == Frame.Request)
            {
                return JsonSerializer.Deserialize(payload, GuestJson.Default.GuestRequest);
            }

            // What was on its way to a command when that ended.
            if (kind is not (Frame.Stdin or Frame.CloseStdin or Frame.Signal or Frame.Resize))
            {
                break;
            }
        }

        return null;
    }

    // Who closes first keeps the connection's remains for a minute. The node leaves none; and it has read all when it closes.
    private static unsafe void AwaitFarewell(int socket)
    {
        var fd = new Libc.PollFd { Fd = socket, Events = Libc.PollRdhup };
        _ = Libc.poll(&fd, 1, Farewell);
    }

    private static bool Prove(Socket peer, long deadline)
    {
        Span<byte> token = stackalloc byte[Frame.TokenLength];
        return Receive(peer, token, deadline) && CryptographicOperations.FixedTimeEquals(Sha256.Of(token), _tokenSha256);
    }

    private static GuestRequest? ReadRequest(Socket peer, long deadline)
    {
        Span<byte> header = stackalloc byte[Frame.HeaderLength];
        if (!Receive(peer, header, deadline) || header[0] != Frame.Request || BinaryPrimitives.ReadUInt32LittleEndian(header[1..]) is var length && length > Frame.MaxRequest)
        {
            return null;
        }

        var text = new byte[length];
        return Receive(peer, text, deadline) ? JsonSerializer.Deserialize(text, GuestJson.Default.GuestRequest) : null;
    }

    private static bool Receive(Socket peer, Span<byte> bytes, long deadline)
    {
        while (bytes.Length > 0)
        {
            // The whole of it has one deadline: a byte now and then buys no time.
            var left = deadline - Environment.TickCount64;
            if (left <= 0)
            {
                return false;
            }

            peer.ReceiveTimeout = (int)left;
            var count = peer.Receive(bytes);
            if (count == 0)
            {
                return false;
            }

            bytes = bytes[count..];
        }

        return true;
    }
}
