using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Primitives;

namespace Corral.Gateway.Idempotency;

/// <summary>What a client says makes its request the same as another one, within one API key.</summary>
/// <remarks>
/// What is kept of the request is keyed, and its answer sealed, by what only the client has: its API key and this one. So an answer that
/// holds a secret, such as a new API key, lies nowhere that anybody else could read it.
/// </remarks>
internal sealed class RequestKey
{
    public const string Header = "Idempotency-Key";
    private const int MaxLength = 255;
    private const int NonceLength = 12;
    private const int TagLength = 16;

    private readonly byte[] _secret;

    /// <param name="apiKey">The text of the caller's API key.</param>
    /// <param name="apiKeyId">Its id.</param>
    /// <param name="text">The header's value.</param>
    public RequestKey(string apiKey, string apiKeyId, string text)
    {
        _secret = HKDF.DeriveKey(HashAlgorithmName.SHA256, Encoding.UTF8.GetBytes(apiKey), 32, info: Encoding.UTF8.GetBytes("corral idempotency " + text));
        Id = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(apiKeyId + "\n" + text)));
    }

    /// <summary>Names the request, in Redis and to the services that know a request again.</summary>
    public string Id { get; }

    /// <summary>Whether a header's value can be one: once, and 1 to 255 visible ASCII characters.</summary>
    public static bool IsValid(StringValues header) =>
        header is [{ Length: > 0 and <= MaxLength } text] && !text.AsSpan().ContainsAnyExceptInRange('!', '~');

    /// <summary>The same for the same request only.</summary>
    public byte[] Fingerprint(HttpRequest request, ReadOnlyMemory<byte> body)
    {
        using var hash = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, _secret);
        hash.AppendData(Encoding.UTF8.GetBytes($"{request.Method}\n{request.Path}\n{request.QueryString}\n"));
        hash.AppendData(body.Span);
        return hash.GetHashAndReset();
    }

    public byte[] Seal(ReadOnlySpan<byte> answer)
    {
        var box = new byte[NonceLength + answer.Length + TagLength];
        RandomNumberGenerator.Fill(box.AsSpan(0, NonceLength));
        using var aes = new AesGcm(_secret, TagLength);
        aes.Encrypt(box.AsSpan(0, NonceLength), answer, box.AsSpan(NonceLength, answer.Length), box.AsSpan(NonceLength + answer.Length));
        return box;
    }

    public byte[] Open(byte[] box)
    {
        var answer = new byte[box.Length - NonceLength - TagLength];
        using var aes = new AesGcm(_secret, TagLength);
        aes.Decrypt(box.AsSpan(0, NonceLength), box.AsSpan(NonceLength, answer.Length), box.AsSpan(NonceLength + answer.Length), answer);
        return answer;
    }
}
