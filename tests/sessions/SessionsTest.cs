using Corral.Sessions.Creating;
using Corral.Sessions.Webhooks;
using Corral.Tests.Support;
using StackExchange.Redis;
using Xunit;

namespace Corral.Sessions.Tests;

/// <summary>A test with a Redis and a fleet of its own.</summary>
public abstract class SessionsTest : IAsyncLifetime
{
    private readonly List<Replica> _replicas = [];

    internal ManualClock Clock { get; } = new();

    internal RedisServer Server { get; private set; } = null!;

    internal Fleet Fleet { get; private set; } = null!;

    /// <summary>The replica that most tests need.</summary>
    internal Replica One { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Server = await RedisServer.StartAsync();
        Fleet = await Fleet.StartAsync();
        One = NewReplica();
        await One.AddOrganizationAsync("org", "pro");
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var replica in _replicas)
        {
            await replica.DisposeAsync();
        }

        await Fleet.DisposeAsync();
        await Server.DisposeAsync();
        _replicas.ForEach(replica => replica.AssertNoErrors());
        GC.SuppressFinalize(this);
    }

    internal Replica NewReplica(Action<WebhookOptions>? configure = null, PlanOptions? plans = null, TimeProvider? clock = null)
    {
        var replica = new Replica(Server, Fleet, clock ?? Clock, configure, plans);
        _replicas.Add(replica);
        return replica;
    }

    /// <summary>Reads Redis from outside, as nobody of ours.</summary>
    internal async Task<T> RedisAsync<T>(Func<IDatabase, Task<T>> read)
    {
        await using var connection = new Corral.Redis.RedisConnection(Server.SocketPath);
        return await connection.RunAsync(read);
    }

    /// <summary>Everything that Redis wrote down since it was started.</summary>
    internal Task<string> AllOfRedisAsync() => Server.AppendedAsync();

    internal async Task<IReadOnlyList<string>> LiveAsync(string organization = "org") =>
        [.. (await RedisAsync(db => db.SetMembersAsync($"{{{organization}}}:live"))).Select(v => v.ToString())];

    /// <summary>What the events tell of a sandbox, in order: "ready" for "sandbox.ready".</summary>
    internal async Task<IReadOnlyList<string>> EventsAsync(string id, string organization = "org") =>
        [.. (await RedisAsync(db => db.StreamRangeAsync($"{{{organization}}}:event-log"))).Where(e => e["sandbox"] == id).Select(e => e["type"].ToString()["sandbox.".Length..])];

    /// <summary>The milliseconds metered in the clock's month.</summary>
    internal async Task<long> MeteredAsync(string organization = "org") =>
        (long)await RedisAsync(db => db.HashGetAsync($"{{{organization}}}:usage:{Clock.Now.UtcDateTime:yyyy-MM}", "ms"));
}
