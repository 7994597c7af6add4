using System.Buffers;
using System.Net.WebSockets;
using Corral.Api.V1;
using Google.Protobuf;
using Grpc.Core;

namespace Corral.Gateway.Terminals;

/// <summary>One WebSocket that looks at a terminal: bytes in binary frames, everything else in text frames.</summary>
/// <remarks>What the client does not take is not asked of the node either: nothing is kept here but the frame that is on its way.</remarks>
internal sealed class TerminalSocket(
    WebSocket socket, AsyncDuplexStreamingCall<ConnectTerminalRequest, ConnectTerminalResponse> call, TimeSpan sendTimeout, TimeProvider clock, CancellationToken stopping)
{
    private const int Gone = 4410;
    private const int Restart = 1012;
    private const int MaxControl = 1024;
    private const int PieceSize = 16 * 1024;
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(5);

    private readonly CancellationTokenSource _over = CancellationTokenSource.CreateLinkedTokenSource(stopping);
    private readonly CancellationTokenSource _closed = new();

    /// <summary>Carries both ways until either side is over, and closes. The call's first message is there already.</summary>
    /// <param name="isGone">Whether the sandbox is gone, after its node failed.</param>
    public async Task RunAsync(Func<RpcException, Task<bool>> isGone)
    {
        using (_over)
        using (_closed)
        {
            var hearing = HearAsync();
            var (status, reason) = await ShowAsync(isGone);
            // Only the hearing ends the showing so, and it is about to say why.
            if (_over.IsCancellationRequested && !stopping.IsCancellationRequested && await hearing is { } broken)
            {
                (status, reason) = broken;
            }

            await CloseAsync(status, reason);
            await _over.CancelAsync();
            // The client closes its side, too: a connection that ends before that may lose what it was sent last.
            _closed.CancelAfter(CloseTimeout);
            await hearing;
        }
    }

    private async Task<(int Status, string Reason)> ShowAsync(Func<RpcException, Task<bool>> isGone)
    {
        try
        {
            do
            {
                var step = call.ResponseStream.Current;
                await (step.EventCase == ConnectTerminalResponse.EventOneofCase.Output
                    ? SendAsync(step.Output.Memory, WebSocketMessageType.Binary)
                    : SendAsync(TerminalMessages.Write(step), WebSocketMessageType.Text));
                if (step.EventCase == ConnectTerminalResponse.EventOneofCase.Exit)
                {
                    return (1000, "exited");
                }
            }
            while (await call.ResponseStream.MoveNext(_over.Token));
            return (Restart, "connect again");
        }
        catch (RpcException failure) when (!_over.IsCancellationRequested)
        {
            return await isGone(failure) ? (Gone, "the sandbox is gone") : (Restart, "connect again");
        }
        catch (Exception problem) when (problem is RpcException or OperationCanceledException or WebSocketException)
        {
            return stopping.IsCancellationRequested ? (Restart, "connect again") : (1000, "");
        }
    }

    // How to close, when the client broke the rules; null when it left.
    private async Task<(int Status, string Reason)?> HearAsync()
    {
        var room = ArrayPool<byte>.Shared.Rent(PieceSize);
        try
        {
            while (true)
            {
                var got = await socket.ReceiveAsync(room.AsMemory(0, PieceSize), _closed.Token);
                if (got.MessageType == WebSocketMessageType.Close)
                {
                    return null;
                }

                var request = got.MessageType == WebSocketMessageType.Binary ? new ConnectTerminalRequest { Input = ByteString.CopyFrom(room, 0, got.Count) }
                    : got.EndOfMessage && got.Count <= MaxControl ? TerminalMessages.Read(room.AsSpan(0, got.Count))
                    : null;
                if (request is null)
                {
                    return (1008, "text frames are {\"type\":\"resize\",\"cols\":80,\"rows\":24}; input is binary");
                }

                await PassAsync(request);
            }
        }
        catch (Exception problem) when (problem is WebSocketException or OperationCanceledException)
        {
            return null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(room);
            await _over.CancelAsync();
        }
    }

    private async Task PassAsync(ConnectTerminalRequest request)
    {
        try
        {
            await call.RequestStream.WriteAsync(request, _over.Token);
        }
        catch (Exception problem) when (problem is RpcException or InvalidOperationException or OperationCanceledException)
        {
            // The terminal is over: the other direction says why.
        }
    }

    private async Task SendAsync(ReadOnlyMemory<byte> bytes, WebSocketMessageType type)
    {
        using var patience = new CancellationTokenSource(sendTimeout, clock);
        await socket.SendAsync(bytes, type, endOfMessage: true, patience.Token);
    }

    private async Task CloseAsync(int status, string reason)
    {
        using var patience = new CancellationTokenSource(CloseTimeout, clock);
        try
        {
            if (socket.State is WebSocketState.Open or WebSocketState.CloseReceived)
            {
                await socket.CloseOutputAsync((WebSocketCloseStatus)status, reason, patience.Token);
            }
        }
        catch (Exception problem) when (problem is WebSocketException or OperationCanceledException)
        {
            // It is gone already.
        }
    }
}
