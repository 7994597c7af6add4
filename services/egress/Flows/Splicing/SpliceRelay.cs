using System.Net.Sockets;

namespace Corral.Egress.Flows.Splicing;

/// <summary>Carries bytes from socket to socket inside the kernel (splice), and each side's end to the other.</summary>
/// <remarks>
/// 1. Take what is there into a pipe; nothing there: give the pipe back and wait for the sender.
/// 2. Give it on; no room there: wait for the receiver, with the pipe.
/// 3. Count it, and wait as long as the bandwidth asks for.
/// 4. At the sender's end, end the other side's receiving half; the other direction goes on.
/// The sockets are closed by the flow's owner, after both directions have returned.
/// </remarks>
internal sealed class SpliceRelay : IRelay
{
    // Then it is the others' turn: who waits for a signal runs on the poller's one thread.
    private const int MostPieces = 32;
    private readonly Flow _flow;
    private readonly ReadinessPoller _poller;
    private readonly PipePool _pipes;
    private readonly SocketReadiness _client;
    private readonly SocketReadiness _upstream;
    private readonly CancellationTokenSource _over;
    private volatile bool _broken;

    public SpliceRelay(Flow flow, Socket upstream, ReadinessPoller poller, PipePool pipes)
    {
        (_flow, _poller, _pipes) = (flow, poller, pipes);
        _over = CancellationTokenSource.CreateLinkedTokenSource(flow.Closing);
        _client = poller.Watch(flow.Client);
        _upstream = poller.Watch(upstream);
    }

    public Task<bool> UpAsync() => RunAsync(_client, _upstream, _flow.AddSent);

    public Task<bool> DownAsync() => RunAsync(_upstream, _client, _flow.AddReceived);

    public async Task UpstreamReadableAsync() => await _upstream.Socket.ReceiveAsync(Memory<byte>.Empty, SocketFlags.None, _over.Token);

    public void Abort()
    {
        _broken = true;
        _over.Cancel();
        _client.SetBoth();
        _upstream.SetBoth();
    }

    public void Dispose()
    {
        _poller.Forget(_client);
        _poller.Forget(_upstream);
        _over.Dispose();
    }

    private async Task<bool> RunAsync(SocketReadiness from, SocketReadiness to, Action<long> count)
    {
        var whole = false;
        try
        {
            whole = await PumpAsync(from, to, count);
        }
        catch (Exception)
        {
            // It was aborted while it waited for its turn, or there was no pipe to be had.
        }
        finally
        {
            // Whoever waits for the end must not go on with it on the poller's thread.
            await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        }

        if (!whole) Abort();
        return whole;
    }

    private async Task<bool> PumpAsync(SocketReadiness from, SocketReadiness to, Action<long> count)
    {
        SplicePipe? pipe = null;
        try
        {
            for (var pieces = 0; !_broken;)
            {
                pipe ??= _pipes.Rent();
                // 1.
                var outcome = pipe.Fill(from.Socket.SafeHandle);
                if (outcome == SpliceOutcome.Moved)
                {
                    // 2. and 3.
                    var held = pipe.Held;
                    if (!await DrainAsync(pipe, to)) return false;
                    count(held);
                    await _flow.Sandbox.Limiter.CarriedAsync(held, _over.Token);
                    if (++pieces % MostPieces == 0) await Task.Yield();
                }
                else if (outcome == SpliceOutcome.Later)
                {
                    _pipes.Return(pipe);
                    pipe = null;
                    await from.Readable.WaitAsync();
                }
                else
                {
                    // 4.
                    return outcome == SpliceOutcome.Ended && TryEnd(to.Socket);
                }
            }

            return false;
        }
        finally
        {
            if (pipe is not null) _pipes.Return(pipe);
        }
    }

    private async ValueTask<bool> DrainAsync(SplicePipe pipe, SocketReadiness to)
    {
        while (pipe.Held > 0)
        {
            if (_broken) return false;
            var outcome = pipe.Drain(to.Socket.SafeHandle);
            if (outcome == SpliceOutcome.Later) await to.Writable.WaitAsync();
            else if (outcome != SpliceOutcome.Moved) return false;
        }

        return true;
    }

    private static bool TryEnd(Socket socket)
    {
        try
        {
            socket.Shutdown(SocketShutdown.Send);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
