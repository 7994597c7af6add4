using System.Collections.Concurrent;
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

    private readonly ConcurrentDictionary<string, (Task<AuthenticateResponse?> Answer, long Since)> _cache = new(StringComparer.Ordinal);

    /// <summary>The caller, or null for a key that is missing, unknown, expired or revoked.</summary>
    public async Task<Caller?> AuthenticateAsync(IHeaderDictionary headers, string requestId)
    {
        var key = KeyOf(headers);
        if (key.Length is 0 or > MaxKeyLength || await FindAsync(key) is not { } found)
        {
            return null;
        }

        return new Caller(new CallerIdentity(found.OrganizationId, found.KeyId, [.. found.Scopes], requestId), found.Plan);
    }

    /// <summary>The text of the key that a request carries.</summary>
    public static string KeyOf(IHeaderDictionary headers)
    {
        // Where a client sends both, authorization is meant for what it talks to through us.
        var value = headers["leap0-authorization"] is [{ Length: > 0 } given] ? given : headers.Authorization.ToString();
        return value.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase) ? value[Bearer.Length..].Trim() : value.Trim();
    }

    private Task<AuthenticateResponse?> FindAsync(string key)
    {
        var digest = SHA256.HashData(Encoding.UTF8.GetBytes(key));
        var name = Convert.ToHexString(digest);
        var now = clock.GetTimestamp();
        if (_cache.TryGetValue(name, out var cached) && clock.GetElapsedTime(cached.Since, now) < Kept && !cached.Answer.IsFaulted)
        {
            return cached.Answer;
        }

        if (_cache.Count >= MaxCached)
        {
            // Only a flood of made-up keys comes here.
            _cache.Clear();
        }

        var answer = AskAsync(digest);
        _cache[name] = (answer, now);
        return answer;
    }

    private async Task<AuthenticateResponse?> AskAsync(byte[] digest)
    {
        try
        {
            var request = new AuthenticateRequest { KeySha256 = ByteString.CopyFrom(digest) };
            return await access.AuthenticateAsync(request, deadline: clock.GetUtcNow().UtcDateTime + Patience);
        }
        catch (RpcException exception) when (exception.StatusCode == StatusCode.Unauthenticated)
        {
            return null;
        }
    }
}
