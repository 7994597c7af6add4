using Corral.Hosting;
using Corral.Sessions.Organizations;

namespace Corral.Sessions.Keys;

/// <summary>Makes, changes and revokes an organisation's keys on behalf of one of them.</summary>
internal sealed class ApiKeys(KeyStore store, TimeProvider clock)
{
    private const int MostKeys = 200;
    private static readonly TimeSpan LongestLife = TimeSpan.FromDays(3650);
    private static readonly TimeSpan LongestOverlap = TimeSpan.FromDays(7);

    /// <summary>Whether a text may be a key's id.</summary>
    public static bool IsId(string id) => id == KeyStore.BootstrapKeyId || Ids.IsValid(id, "key-");

    /// <summary>A new key, and its text.</summary>
    public Task<(KeyFacts Facts, string Text)> CreateAsync(CallerIdentity caller, string name, IEnumerable<string> scopes, long? expiresInMs)
    {
        var checkedName = Names.Check("name", name);
        var given = Scopes.Check(caller, scopes);
        return AddAsync(caller.OrganizationId, checkedName, given, ExpiryOf(expiresInMs, least: 1));
    }

    /// <summary>An organisation's first key, which may do everything in it.</summary>
    public Task<(KeyFacts Facts, string Text)> CreateFirstAsync(string organization) => AddAsync(organization, "first", [], null);

    public async Task<KeyFacts> FindAsync(CallerIdentity caller, string id) =>
        (IsId(id) ? await store.FindAsync(caller.OrganizationId, id) : null) ?? throw NotFound();

    public async Task<KeyFacts> ChangeAsync(CallerIdentity caller, string id, string? name, IReadOnlyCollection<string>? scopes, long? expiresInMs)
    {
        var present = await FindAsync(caller, id);
        CheckHeld(caller, present);
        CheckNotOperators(id);
        if (scopes is { Count: 0 })
        {
            throw RpcErrors.InvalidArgument("scopes", "must have at least one: a key that may do everything is made anew");
        }

        var given = scopes is null ? null : Scopes.Check(caller, scopes);
        CheckChanged(await store.ChangeAsync(
            caller.OrganizationId, id, name is null ? null : Names.Check("name", name), given, ExpiryOf(expiresInMs, least: 0)));
        return await FindAsync(caller, id);
    }

    /// <summary>A key in another one's place, which goes on for the time of the overlap.</summary>
    public async Task<(KeyFacts Facts, string Text)> RotateAsync(CallerIdentity caller, string id, long overlapMs)
    {
        if (overlapMs < 0 || overlapMs > LongestOverlap.TotalMilliseconds)
        {
            throw RpcErrors.InvalidArgument("overlap_ms", $"must be 0 to {LongestOverlap.TotalMilliseconds}");
        }

        var old = await FindAsync(caller, id);
        CheckHeld(caller, old);
        CheckNotOperators(id);
        if (old.RevokedAt is not null || old.ExpiresAt <= clock.GetUtcNow())
        {
            throw Revoked();
        }

        var made = await AddAsync(caller.OrganizationId, old.Name, old.Scopes, old.ExpiresAt);
        var until = clock.GetUtcNow() + TimeSpan.FromMilliseconds(overlapMs);
        if (overlapMs == 0)
        {
            await store.RevokeAsync(caller.OrganizationId, id);
        }
        else if (!(old.ExpiresAt <= until))
        {
            await store.RetireAsync(caller.OrganizationId, id, until);
        }

        return made;
    }

    public async Task RevokeAsync(CallerIdentity caller, string id)
    {
        CheckNotOperators(id);
        CheckHeld(caller, await FindAsync(caller, id));
        if (await store.RevokeAsync(caller.OrganizationId, id) == KeyChange.NotThere)
        {
            throw NotFound();
        }
    }

    private async Task<(KeyFacts Facts, string Text)> AddAsync(string organization, string name, IReadOnlyList<string> scopes, DateTimeOffset? expiresAt)
    {
        var text = KeyText.New();
        var facts = new KeyFacts(Ids.New("key-"), name, KeyText.Hint(text), scopes, clock.GetUtcNow(), expiresAt);
        var outcome = await store.AddAsync(organization, text, facts, MostKeys);
        if (outcome == KeyChange.TooMany)
        {
            // Some of them may be told of no more: whoever lists them forgets those.
            await store.ListAsync(organization);
            outcome = await store.AddAsync(organization, text, facts, MostKeys);
        }

        return outcome == KeyChange.Made
            ? (facts, text)
            : throw RpcErrors.ResourceExhausted("API_KEY_LIMIT", $"An organisation has at most {MostKeys} keys, those included that were revoked or replaced in the last 30 days.");
    }

    private DateTimeOffset? ExpiryOf(long? expiresInMs, long least)
    {
        if (expiresInMs is not { } milliseconds)
        {
            return null;
        }

        return milliseconds >= least && milliseconds <= LongestLife.TotalMilliseconds
            ? clock.GetUtcNow() + TimeSpan.FromMilliseconds(milliseconds)
            : throw RpcErrors.InvalidArgument("expires_in_ms", $"must be {least} to {LongestLife.TotalMilliseconds}");
    }

    // Who may do less would otherwise get hold of one who may do more.
    private static void CheckHeld(CallerIdentity caller, KeyFacts key)
    {
        if (!Scopes.MayGive(caller, key.Scopes))
        {
            throw RpcErrors.PermissionDenied("PERMISSION_DENIED", "The key has scopes that yours has not.");
        }
    }

    private static void CheckNotOperators(string id)
    {
        if (id == KeyStore.BootstrapKeyId)
        {
            throw RpcErrors.FailedPrecondition("OPERATOR_KEY", "The operator's key is changed on the instance's own machine.");
        }
    }

    private static void CheckChanged(KeyChange outcome)
    {
        if (outcome != KeyChange.Made)
        {
            throw outcome == KeyChange.Revoked ? Revoked() : NotFound();
        }
    }

    private static global::Grpc.Core.RpcException Revoked() => RpcErrors.FailedPrecondition("API_KEY_REVOKED", "The key does not work any more.");

    private static global::Grpc.Core.RpcException NotFound() => RpcErrors.NotFound("API_KEY_NOT_FOUND", "API key not found");
}
