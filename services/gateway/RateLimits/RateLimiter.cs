using Corral.Gateway.Security;
using Corral.Redis;
using Google.Protobuf.Reflection;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Corral.Gateway.RateLimits;

/// <summary>Holds organisations to their rates, exactly, over all replicas: the buckets are in Redis.</summary>
internal sealed class RateLimiter(RedisConnection redis, IOptions<RateLimitOptions> options)
{
    private static readonly RedisScript TakeScript = RedisScript.Embedded(typeof(RateLimiter).Assembly, "RateLimits.take.lua");

    /// <summary>Takes a token for a caller's call and tells the client where it stands; throws the refusal when there is none.</summary>
    public async Task TakeAsync(HttpContext context, Caller caller, MethodDescriptor method)
    {
        if (!options.Value.Enabled)
        {
            return;
        }

        var rate = await TakeAsync(caller.Identity.OrganizationId, method);
        rate.WriteTo(context.Response.Headers);
        if (!rate.Taken)
        {
            throw rate.Refusal(caller.Plan);
        }
    }

    private async Task<RateAnswer> TakeAsync(string organization, MethodDescriptor method)
    {
        var (bucket, figures) = RateTable.Of(method, options.Value);
        var result = (long[])(await TakeScript.RunAsync(redis, ["{" + organization + "}:gateway:rate:" + bucket], figures.PerMinute, figures.Burst))!;
        if (result[0] == 0)
        {
            GatewayTelemetry.RateLimited.Add(1, new KeyValuePair<string, object?>("bucket", bucket));
        }

        return new RateAnswer(result[0] == 1, (int)result[1], TimeSpan.FromMicroseconds(result[2]), TimeSpan.FromMicroseconds(result[3]), figures);
    }
}
