using Corral.Hosting;
using StackExchange.Redis;

namespace Corral.Redis;

/// <summary>The process's connection to Redis: one, multiplexed, reconnecting for ever.</summary>
/// <remarks>A host starts without Redis; until it answers, every command fails with <see cref="StateStoreUnavailableException"/>.</remarks>
public sealed class RedisConnection : IReadinessCheck, IAsyncDisposable
{
    // What a Redis answers that is there and can not do it now: it loads, is a replica or has none, lost its cluster, has no room, or runs a
    // script for too long. Inside a script of Redis 6, behind a dash.
    private static readonly string[] Unable =
        ["LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "NOREPLICAS", "TRYAGAIN", "OOM", "MISCONF", "BUSY"];

    private readonly Lazy<Task<ConnectionMultiplexer>> _connection;

    /// <summary>Connects at the first command.</summary>
    /// <param name="address">A path of a Unix socket, or <c>host:port</c>; null for <c>CORRAL_REDIS</c>, by default <c>$CORRAL_HOME/run/redis.sock</c>.</param>
    public RedisConnection(string? address = null)
    {
        var options = Options(address ?? (Environment.GetEnvironmentVariable("CORRAL_REDIS") is { Length: > 0 } given ? given : CorralPaths.Socket("redis")));
        _connection = new Lazy<Task<ConnectionMultiplexer>>(() => ConnectionMultiplexer.ConnectAsync(options));
    }

    /// <inheritdoc/>
    public string Name => "redis";

    /// <summary>Runs commands; failures to reach Redis become <see cref="StateStoreUnavailableException"/>.</summary>
    public async Task<T> RunAsync<T>(Func<IDatabase, Task<T>> command)
    {
        try
        {
            return await command((await _connection.Value).GetDatabase());
        }
        catch (Exception exception) when (IsUnavailable(exception))
        {
            throw new StateStoreUnavailableException(exception);
        }
    }

    /// <summary>Listens on a channel for as long as the process lives.</summary>
    /// <param name="channel">Its name.</param>
    /// <param name="received">Is given each message.</param>
    /// <param name="lost">Is called whenever a connection was lost or is back: it comes back, but what was published meanwhile does not.</param>
    public async Task SubscribeAsync(string channel, Action<string> received, Action? lost = null)
    {
        try
        {
            var connection = await _connection.Value;
            connection.ConnectionFailed += (_, _) => lost?.Invoke();
            // The client stays silent about a loss when it had reconnected before it told of the one before. It always tells of a connection made.
            connection.ConnectionRestored += (_, _) => lost?.Invoke();
            await connection.GetSubscriber().SubscribeAsync(RedisChannel.Literal(channel), (_, value) => received(value.ToString()));
        }
        catch (Exception exception) when (IsUnavailable(exception))
        {
            throw new StateStoreUnavailableException(exception);
        }
    }

    /// <inheritdoc/>
    public async ValueTask<bool> IsReadyAsync(CancellationToken cancellationToken)
    {
        await RunAsync(database => database.PingAsync());
        return true;
    }

    /// <summary>Closes the connection.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_connection.IsValueCreated)
        {
            await (await _connection.Value).DisposeAsync();
        }
    }

    private static ConfigurationOptions Options(string address)
    {
        var options = new ConfigurationOptions
        {
            AbortOnConnectFail = false,
            ConnectTimeout = 2000,
            SyncTimeout = 3000,
            AsyncTimeout = 3000,
            ReconnectRetryPolicy = new LinearRetry(250),
            // A command never waits for a connection that may not come: its caller is told at once.
            BacklogPolicy = BacklogPolicy.FailFast,
            // Nothing here blocks a thread, and one hop less halves a round trip on one machine: 0.05 ms in place of 0.10.
            SocketManager = SocketManager.ThreadPool,
        };
        options.EndPoints.Add(address.StartsWith('/') ? "!" + address : address);
        return options;
    }

    // The client cancels what was under way on a connection that ended: nobody else cancels without a token.
    private static bool IsUnavailable(Exception exception) =>
        exception is RedisConnectionException or RedisTimeoutException or ObjectDisposedException
            or TaskCanceledException { CancellationToken.CanBeCanceled: false }
        || (exception is RedisServerException server && Array.Exists(Unable, code => IsOf(server.Message, code)));

    private static bool IsOf(string message, string code) =>
        message.StartsWith(code + " ", StringComparison.Ordinal) || message.Contains($": -{code} ", StringComparison.Ordinal);
}
