using System.Net;
using System.Net.Sockets;
using Corral.Egress.Gates;

namespace Corral.Egress.Dns;

/// <summary>The resolver that a sandbox sees, whatever address it asks: UDP and TCP port 53 of its gate.</summary>
internal sealed partial class DnsServer(DnsResponder responder, TimeProvider clock, ILogger<DnsServer> log)
{
    private const int MaxQuery = 4096, MostAtOnce = 64, MostConnections = 8;
    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(10), Pause = TimeSpan.FromMilliseconds(100);

    /// <summary>Answers datagrams until the sandbox is detached.</summary>
    public async Task ServeUdpAsync(AttachedSandbox sandbox, Socket socket)
    {
        var buffer = new byte[MaxQuery];
        using var room = new SemaphoreSlim(MostAtOnce);
        await LoopAsync(sandbox, async () =>
        {
            var sender = new SocketAddress(AddressFamily.InterNetwork);
            var length = await socket.ReceiveFromAsync(buffer, SocketFlags.None, sender, sandbox.Detached);
            // More than anybody waits for at once: they will ask again.
            if (await room.WaitAsync(TimeSpan.Zero)) _ = AnswerAsync(sandbox, socket, buffer[..length], sender, room);
        });
        // Those under way hold the semaphore.
        for (var i = 0; i < MostAtOnce; i++) await room.WaitAsync();
    }

    /// <summary>Answers connections until the sandbox is detached.</summary>
    public async Task ServeTcpAsync(AttachedSandbox sandbox, Socket listener)
    {
        using var room = new SemaphoreSlim(MostConnections);
        await LoopAsync(sandbox, async () =>
        {
            var client = await listener.AcceptAsync(sandbox.Detached);
            if (await room.WaitAsync(TimeSpan.Zero)) _ = ServeAsync(sandbox, client, room);
            else client.Dispose();
        });
        for (var i = 0; i < MostConnections; i++) await room.WaitAsync();
    }

    private async Task LoopAsync(AttachedSandbox sandbox, Func<Task> step)
    {
        while (!sandbox.Detached.IsCancellationRequested)
        {
            try
            {
                await step();
            }
            catch (Exception) when (sandbox.Detached.IsCancellationRequested)
            {
                return;
            }
            catch (Exception problem)
            {
                LogFailed(problem, sandbox.Id);
                await Task.Delay(Pause, clock, sandbox.Detached).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task AnswerAsync(AttachedSandbox sandbox, Socket socket, byte[] query, SocketAddress sender, SemaphoreSlim room)
    {
        try
        {
            if (await responder.AnswerAsync(sandbox, query, sandbox.Detached) is { } answer)
                await socket.SendToAsync(answer, SocketFlags.None, sender, sandbox.Detached);
        }
        catch (Exception problem) when (problem is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // Nobody waits for it any more.
        }
        catch (Exception problem)
        {
            LogFailed(problem, sandbox.Id);
        }
        finally
        {
            room.Release();
        }
    }

    private async Task ServeAsync(AttachedSandbox sandbox, Socket client, SemaphoreSlim room)
    {
        try
        {
            await using var stream = new NetworkStream(client, ownsSocket: true);
            using var idle = CancellationTokenSource.CreateLinkedTokenSource(sandbox.Detached);
            using var timer = clock.CreateTimer(static source => ((CancellationTokenSource)source!).Cancel(), idle, Idle, Timeout.InfiniteTimeSpan);
            while (await DnsFraming.ReadAsync(stream, idle.Token) is { Length: > 0 and <= MaxQuery } query)
            {
                if (await responder.AnswerAsync(sandbox, query, idle.Token) is not { } answer) return;
                await DnsFraming.WriteAsync(stream, answer, idle.Token);
                timer.Change(Idle, Timeout.InfiniteTimeSpan);
            }
        }
        catch (Exception problem) when (problem is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The client has gone, or said nothing for long.
        }
        catch (Exception problem)
        {
            LogFailed(problem, sandbox.Id);
        }
        finally
        {
            room.Release();
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "A question of {SandboxId} could not be answered.")]
    private partial void LogFailed(Exception problem, string sandboxId);
}
