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

    // By the keys' SHA-256. The keys themselves are nowhere.
    private readonly ConcurrentDictionary<(UInt128, UInt128), (Task<Caller?> Answer, long Since)> _cache = new();

    /// <summary>The caller, or null for a key that is missing, unknown, expired or revoked.</summary>
    public async ValueTask<Caller?> AuthenticateAsync(IHeaderDictionary headers, string requestId)
    {
        var key = KeyOf(headers);
        return key.Length is > 0 and <= MaxKeyLength && await FindAsync(key) is { } found
            ? found with { Identity = found.Identity with { RequestId = requestId } }
            : null;
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

        var answer = AskAsync(ByteString.CopyFrom(digest));
        _cache[name] = (answer, now);
        return answer;
    }

    // The caller, but for the request's id.
    private async Task<Caller?> AskAsync(ByteString digest)
    {
        try
        {
            var found = await access.AuthenticateAsync(new AuthenticateRequest { KeySha256 = digest }, deadline: clock.GetUtcNow().UtcDateTime + Patience);
            return new Caller(new CallerIdentity(found.OrganizationId, found.KeyId, [.. found.Scopes], ""), found.Plan);
        }
        catch (RpcException exception) when (exception.StatusCode == StatusCode.Unauthenticated)
        {
            return null;
        }
    }
}
