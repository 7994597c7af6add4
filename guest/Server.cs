using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json;
using Corral.GuestLink;

namespace Corral.Guest;

/// <summary>Takes connections; a thread for each. Whoever does not prove the token and ask within five seconds is dropped unheard.</summary>
internal static class Server
{
    private const int MaxConnections = 256;
    private const int StackSize = 512 * 1024;
    private const long Patience = 5_000;

    private static readonly SemaphoreSlim Places = new(MaxConnections);
    private static byte[] _tokenSha256 = [];

    public static void Run(GuestSettings settings)
    {
        // Nobody inside may trace us or read our memory.
        _ = Libc.prctl(Libc.PrSetDumpable, 0, 0, 0, 0);
        _ = Libc.prctl(Libc.PrSetChildSubreaper, 1, 0, 0, 0);
        _tokenSha256 = Convert.FromHexString(settings.TokenSha256);
        var only = settings.Peer is null ? null : IPAddress.Parse(settings.Peer);
        Reaper.Start();
        UserThread.Start();
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        listener.Bind(IPEndPoint.Parse(settings.Listen));
        listener.Listen(128);
        while (true)
        {
            Socket peer;
            try
            {
                peer = listener.Accept();
            }
            catch (SocketException)
            {
                // It left before it was taken.
                continue;
            }

            // The sandbox's own processes can connect too: they must not be able to take the places.
            if ((only is null || only.Equals((peer.RemoteEndPoint as IPEndPoint)?.Address)) && Places.Wait(0))
            {
                Begin(peer);
            }
            else
            {
                peer.Dispose();
            }
        }
    }

    private static void Begin(Socket peer)
    {
        try
        {
            new Thread(() => Serve(peer), StackSize) { IsBackground = true }.Start();
        }
        catch (Exception exception) when (exception is OutOfMemoryException or ThreadStartException)
        {
            // The sandbox is full of processes: this caller is not heard, and the next may be.
            peer.Dispose();
            Places.Release();
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
                    Operations.Run(request, (int)peer.Handle);
                }
            }
        }
        catch (Exception)
        {
            // Whatever breaks here is this connection's: PID 1 lives on. A peer that breaks the rules, or is gone, hears nothing.
        }
        finally
        {
            Places.Release();
        }
    }

    private static bool Prove(Socket peer, long deadline)
    {
        Span<byte> token = stackalloc byte[Frame.TokenLength];
        return Receive(peer, token, deadline) && CryptographicOperations.FixedTimeEquals(Sha256.Of(token), _tokenSha256);
    }

    private static GuestRequest? ReadRequest(Socket peer, long deadline)
    {
        Span<byte> header = stackalloc byte[sizeof(uint)];
        if (!Receive(peer, header, deadline) || BinaryPrimitives.ReadUInt32LittleEndian(header) is var length && length > Frame.MaxRequest)
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
