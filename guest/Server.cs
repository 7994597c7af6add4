using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json;
using Corral.GuestLink;

namespace Corral.Guest;

/// <summary>Takes connections; a thread for each. Whoever does not prove the token within five seconds is dropped unheard.</summary>
internal static class Server
{
    private const int MaxConnections = 256;
    private const int StackSize = 512 * 1024;
    private const int Patience = 5_000;

    private static readonly SemaphoreSlim Places = new(MaxConnections);
    private static byte[] _tokenSha256 = [];

    public static void Run(GuestSettings settings)
    {
        // Nobody inside may trace us or read our memory.
        _ = Libc.prctl(Libc.PrSetDumpable, 0, 0, 0, 0);
        _ = Libc.prctl(Libc.PrSetChildSubreaper, 1, 0, 0, 0);
        _tokenSha256 = Convert.FromHexString(settings.TokenSha256);
        Reaper.Start();
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
                continue;
            }

            if (Places.Wait(0))
            {
                new Thread(() => Serve(peer), StackSize) { IsBackground = true }.Start();
            }
            else
            {
                peer.Dispose();
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
                peer.ReceiveTimeout = Patience;
                if (Prove(peer) && ReadRequest(peer) is { } request)
                {
                    peer.ReceiveTimeout = 0;
                    Operations.Run(request, (int)peer.Handle);
                }
            }
        }
        catch (Exception exception) when (exception is SocketException or JsonException or IOException or ObjectDisposedException or ArgumentException)
        {
            // A peer that breaks the rules, or is gone, hears nothing.
        }
        finally
        {
            Places.Release();
        }
    }

    private static bool Prove(Socket peer)
    {
        Span<byte> token = stackalloc byte[Frame.TokenLength];
        return Receive(peer, token) && CryptographicOperations.FixedTimeEquals(Sha256.Of(token), _tokenSha256);
    }

    private static GuestRequest? ReadRequest(Socket peer)
    {
        Span<byte> header = stackalloc byte[sizeof(uint)];
        if (!Receive(peer, header) || BinaryPrimitives.ReadUInt32LittleEndian(header) is var length && length > Frame.MaxRequest)
        {
            return null;
        }

        var text = new byte[length];
        return Receive(peer, text) ? JsonSerializer.Deserialize(text, GuestJson.Default.GuestRequest) : null;
    }

    private static bool Receive(Socket peer, Span<byte> bytes)
    {
        while (bytes.Length > 0)
        {
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
