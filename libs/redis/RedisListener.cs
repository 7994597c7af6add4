using Corral.Hosting;
using StackExchange.Redis;

namespace Corral.Redis;

/// <summary>Listens on a channel, and knows whether it hears.</summary>
/// <remarks>
/// A connection that is back is no subscription yet. What proves one is a message of our own that comes back: from then on everything that is
/// published is heard, until a connection is lost.
/// </remarks>
public sealed class RedisListener(RedisConnection redis, string channel, TimeProvider clock)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    private readonly string _mark = Ids.New("echo-") + "-";
    private readonly Lock _gate = new();
    private TaskCompletionSource _lost = NewSource();
    private Echo? _echo;

    /// <summary>Listens until it is stopped.</summary>
    /// <param name="received">Is given each message.</param>
    /// <param name="hears">Is told true when everything from now on is heard, and false when something may be missed.</param>
    /// <param name="stopping">Ends it.</param>
    public async Task RunAsync(Action<string> received, Action<bool> hears, CancellationToken stopping)
    {
        try
        {
            await redis.SubscribeAsync(channel, message => Received(message, received), () => Lose(hears));
        }
        catch (Exception)
        {
            // The client remembers it, and does it as soon as it can. Whether it did shows below.
            stopping.ThrowIfCancellationRequested();
        }

        while (true)
        {
            var lost = Volatile.Read(ref _lost).Task;
            if (await HearsItselfAsync(lost, stopping) && Begin(lost, hears))
            {
                await lost.WaitAsync(stopping);
            }
            else
            {
                await Task.Delay(Pause, clock, stopping);
            }
        }
    }

    private async Task<bool> HearsItselfAsync(Task lost, CancellationToken stopping)
    {
        // One that is late is none: it may have come over a connection that is lost by now.
        var echo = new Echo(Ids.New(_mark), NewSource());
        Volatile.Write(ref _echo, echo);
        try
        {
            await redis.RunAsync(database => database.PublishAsync(RedisChannel.Literal(channel), echo.Text));
            await Task.WhenAny(echo.Heard.Task, lost).WaitAsync(Patience, clock, stopping);
            return echo.Heard.Task.IsCompleted;
        }
        catch (Exception) when (!stopping.IsCancellationRequested)
        {
            // Whatever the server has against it: who does not hear goes without, and tries again.
            return false;
        }
    }

    // False when the connection was lost meanwhile.
    private bool Begin(Task lost, Action<bool> hears)
    {
        lock (_gate)
        {
            if (lost.IsCompleted)
            {
                return false;
            }

            hears(true);
            return true;
        }
    }

    private void Lose(Action<bool> hears)
    {
        lock (_gate)
        {
            hears(false);
            Interlocked.Exchange(ref _lost, NewSource()).TrySetResult();
        }
    }

    private void Received(string message, Action<string> received)
    {
        if (!message.StartsWith(_mark, StringComparison.Ordinal))
        {
            received(message);
        }
        else if (Volatile.Read(ref _echo) is { } echo && echo.Text == message)
        {
            echo.Heard.TrySetResult();
        }
    }

    private static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private sealed record Echo(string Text, TaskCompletionSource Heard);
}
