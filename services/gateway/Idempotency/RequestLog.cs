using Corral.Redis;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Corral.Gateway.Idempotency;

/// <summary>What is known of a request when it is made.</summary>
internal enum Known
{
    Begun = 1,
    Answered = 2,
    Running = 3,
    AnotherRequest = 4,
    OutcomeUnknown = 5,
    AnswerNotKept = 6,
}

/// <summary>An answer that was kept, sealed.</summary>
internal sealed record KeptAnswer(int Status, string ContentType, byte[] Sealed);

/// <summary>The requests that clients gave a key, in Redis.</summary>
internal sealed class RequestLog(RedisConnection redis, IOptions<IdempotencyOptions> options, TimeProvider clock)
{
    private static readonly RedisScript BeginScript = RedisScript.Embedded(typeof(RequestLog).Assembly, "Idempotency.begin.lua");
    private static readonly RedisScript RenewScript = RedisScript.Embedded(typeof(RequestLog).Assembly, "Idempotency.renew.lua");
    private static readonly RedisScript FinishScript = RedisScript.Embedded(typeof(RequestLog).Assembly, "Idempotency.finish.lua");

    private long LeaseMs => (long)options.Value.Lease.TotalMilliseconds;

    /// <summary>Begins a request, or tells what is known of it. One that may run again does so where a gateway died with it.</summary>
    public async Task<(Known Known, KeptAnswer? Answer)> BeginAsync(string organization, string id, byte[] fingerprint, string owner, bool mayRunAgain)
    {
        var result = (RedisResult[])(await BeginScript.RunAsync(
            redis, [Key(organization, id)], fingerprint, owner, LeaseMs, (long)options.Value.KeepFor.TotalSeconds, mayRunAgain ? 1 : 0))!;
        var known = (Known)(int)result[0];
        return (known, known == Known.Answered ? new KeptAnswer((int)result[1], (string)result[2]!, (byte[])result[3]!) : null);
    }

    /// <summary>Says so, as long as it runs.</summary>
    public async Task RenewAsync(string organization, string id, string owner, CancellationToken ended)
    {
        while (true)
        {
            await Task.Delay(options.Value.Lease / 3, clock, ended).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (ended.IsCancellationRequested)
            {
                return;
            }

            try
            {
                await RenewScript.RunAsync(redis, [Key(organization, id)], owner, LeaseMs);
            }
            catch (StateStoreUnavailableException)
            {
                // The lease is longer than a moment without Redis.
            }
        }
    }

    /// <summary>Keeps the answer, if there is room for it; null for one that is too long.</summary>
    public Task AnsweredAsync(string organization, string id, string owner, KeptAnswer? answer) =>
        FinishAsync(organization, id, owner, answer is null ? "lost" : "answered", answer);

    /// <summary>Forgets a request that had no effect: it may be made again.</summary>
    public Task FreeAsync(string organization, string id, string owner) => FinishAsync(organization, id, owner, "free", null);

    /// <summary>Remembers that nobody knows whether the request had an effect.</summary>
    public Task UnknownAsync(string organization, string id, string owner) => FinishAsync(organization, id, owner, "unknown", null);

    private Task FinishAsync(string organization, string id, string owner, string outcome, KeptAnswer? answer) => FinishScript.RunAsync(
        redis, [Key(organization, id), $"{{{organization}}}:gateway:kept:{clock.GetUtcNow().ToUnixTimeSeconds() / 3600}"],
        owner, outcome, answer?.Status ?? 0, answer?.ContentType ?? "", answer?.Sealed ?? [], options.Value.MaxAnswerBytes, options.Value.BytesPerHour);

    private static RedisKey Key(string organization, string id) => "{" + organization + "}:gateway:request:" + id;
}
