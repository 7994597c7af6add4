using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Corral.Hosting;
using Corral.Sessions.V1;
using Google.Protobuf;
using Grpc.Core;

namespace Corral.Gateway.Security;

/// <summary>Finds whose key a request carries. Answers are kept for at most a second, so that a key that is revoked, changed or expired is so within one.</summary>
internal sealed class Authenticator(AccessService.AccessServiceClient access, TimeProvider clock)
{
    private const string Bearer = "Bearer ";
    private const int MaxKeyLength = 256;
    private const int MaxCached = 10_000;
    private static readonly TimeSpan Kept = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    // By the keys' SHA-256; the keys themselves are nowhere. And apart from them, so that no key's text is ever taken for an id, by their ids.
    private readonly ConcurrentDictionary<(UInt128, UInt128), (Task<Caller?> Answer, long Since)> _byText = new();
    private readonly ConcurrentDictionary<(string Organization, string KeyId), (Task<Caller?> Answer, long Since)> _byId = new();

    /// <summary>The caller, or null for a key that is missing, unknown, expired or revoked.</summary>
    public async ValueTask<Caller?> AuthenticateAsync(IHeaderDictionary headers, string requestId)
    {
        var key = KeyOf(headers);
        return key.Length is > 0 and <= MaxKeyLength && await FindAsync(key) is { } found
            ? found with { Identity = found.Identity with { RequestId = requestId } }
            : null;
    }

    /// <summary>The holder of a key that something else than its text names: that this is true is for others to prove. Null for a key that is no longer good.</summary>
    public async ValueTask<Caller?> FindHolderAsync(string organization, string keyId, string requestId)
    {
        var kept = Find(_byId, (organization, keyId)) ?? Keep(_byId, (organization, keyId), AskAsync(organization, keyId));
        return await kept is { } found ? found with { Identity = found.Identity with { RequestId = requestId } } : null;
    }

    /// <summary>The text of the key that a request carries.</summary>
    public static string KeyOf(IHeaderDictionary headers)
    {
        // Where a client sends both, authorization is meant for what it talks to through us.
        var value = headers["leap0-authorization"] is [{ Length: > 0 } given] ? given : headers.Authorization.ToString();
        return value.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase) ? value[Bearer.Length..].Trim() : value.Trim();
    }

    private Task<Caller?> FindAsync(string key)
    {
        Span<byte> text = stackalloc byte[Encoding.UTF8.GetMaxByteCount(MaxKeyLength)];
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(text[..Encoding.UTF8.GetBytes(key, text)], digest);
        var name = (MemoryMarshal.Read<UInt128>(digest), MemoryMarshal.Read<UInt128>(digest[16..]));
        return Find(_byText, name) ?? Keep(_byText, name, AskAsync(ByteString.CopyFrom(digest)));
    }

    private Task<Caller?>? Find<T>(ConcurrentDictionary<T, (Task<Caller?> Answer, long Since)> cache, T name)
        where T : notnull =>
        cache.TryGetValue(name, out var found) && clock.GetElapsedTime(found.Since) < Kept && !found.Answer.IsFaulted ? found.Answer : null;

    private Task<Caller?> Keep<T>(ConcurrentDictionary<T, (Task<Caller?> Answer, long Since)> cache, T name, Task<Caller?> answer)
        where T : notnull
    {
        if (cache.Count >= MaxCached)
        {
            // Only a flood of made-up keys comes here.
            cache.Clear();
        }

        cache[name] = (answer, clock.GetTimestamp());
        return answer;
    }

    // Callers, but for the request's id.
    private Task<Caller?> AskAsync(ByteString digest) => NullIfInvalidAsync(async deadline =>
    {
        var found = await access.AuthenticateAsync(new AuthenticateRequest { KeySha256 = digest }, deadline: deadline);
        return new Caller(new CallerIdentity(found.OrganizationId, found.KeyId, [.. found.Scopes], ""), found.Plan);
    });

    private Task<Caller?> AskAsync(string organization, string keyId) => NullIfInvalidAsync(async deadline =>
    {
        var key = await access.CheckKeyAsync(new CheckKeyRequest { OrganizationId = organization, KeyId = keyId }, deadline: deadline);
        return new Caller(new CallerIdentity(organization, keyId, [.. key.Scopes], ""), key.Plan);
    });

    private async Task<Caller?> NullIfInvalidAsync(Func<DateTime, Task<Caller>> ask)
    {
        try
        {
            return await ask(clock.GetUtcNow().UtcDateTime + Patience);
        }
        catch (RpcException exception) when (exception.StatusCode == StatusCode.Unauthenticated)
        {
            return null;
        }
    }
}
