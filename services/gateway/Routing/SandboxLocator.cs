using System.Collections.Concurrent;
using Corral.Hosting;
using Corral.Sessions.V1;
using Grpc.Core;

namespace Corral.Gateway.Routing;

/// <summary>Finds the node of a sandbox. Kept for at most a second, by organisation: nobody learns of another's.</summary>
internal sealed class SandboxLocator(AccessService.AccessServiceClient access, TimeProvider clock)
{
    private const int MaxCached = 10_000;
    private static readonly TimeSpan Kept = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<(string, string), (string Address, long Since)> _cache = new();

    /// <summary>The node-agent's address, of a sandbox that still starts after at most <paramref name="wait"/>. Throws the error of sessions: not found, or not ready.</summary>
    public async Task<string> FindAsync(CallerIdentity caller, string sandboxId, TimeSpan wait = default)
    {
        var key = (caller.OrganizationId, sandboxId);
        if (_cache.TryGetValue(key, out var cached) && clock.GetElapsedTime(cached.Since) < Kept)
        {
            return cached.Address;
        }

        var options = new CallOptions(caller.ToMetadata(), clock.GetUtcNow().UtcDateTime + Patience + wait);
        var found = await access.LocateAsync(new LocateRequest { SandboxId = sandboxId, WaitMs = (int)wait.TotalMilliseconds }, options);
        return Keep(key, found.NodeAddress);
    }

    /// <summary>Takes from a launch's trailers where the sandbox runs.</summary>
    public void Learn(CallerIdentity caller, Metadata trailers)
    {
        if (trailers.GetValue(CallerIdentity.SandboxKey) is { } sandboxId && trailers.GetValue(CallerIdentity.PlaceKey) is { } address)
        {
            Keep((caller.OrganizationId, sandboxId), address);
        }
    }

    /// <summary>Where a sandbox runs or, if it is over, ran last. Not kept: few ask, and most of them once.</summary>
    public async Task<string> FindLastAsync(CallerIdentity caller, string sandboxId)
    {
        var options = new CallOptions(caller.ToMetadata(), clock.GetUtcNow().UtcDateTime + Patience);
        return (await access.LocateAsync(new LocateRequest { SandboxId = sandboxId, LastPlace = true }, options)).NodeAddress;
    }

    /// <summary>Forgets where a sandbox is.</summary>
    public void Forget(CallerIdentity caller, string sandboxId) => _cache.TryRemove((caller.OrganizationId, sandboxId), out _);

    /// <summary>
    /// Forgets where a sandbox is when a call of its node failed. When the node does not have it, or no longer, sessions is asked at once:
    /// its answer, not found or not ready, is the truth, and is thrown.
    /// </summary>
    public async Task FailedAsync(CallerIdentity caller, string sandboxId, RpcException failure)
    {
        if (failure.StatusCode is not (StatusCode.NotFound or StatusCode.Unavailable or StatusCode.FailedPrecondition))
        {
            return;
        }

        Forget(caller, sandboxId);
        if (RpcErrors.Read(failure).Reason is "SANDBOX_NOT_FOUND" or "SANDBOX_NOT_READY")
        {
            await FindAsync(caller, sandboxId);
        }
    }

    private string Keep((string, string) key, string address)
    {
        if (_cache.Count >= MaxCached)
        {
            _cache.Clear();
        }

        _cache[key] = (address, clock.GetTimestamp());
        return address;
    }
}
