using System.Security.Cryptography;
using System.Text.Json;
using Corral.Hosting;

namespace Corral.Sessions.Records;

/// <summary>Seals environments at rest: AES-256-GCM under the instance's key, bound to the sandbox they belong to.</summary>
internal sealed class Secrets
{
    private const int NonceLength = 12;
    private const int TagLength = 16;

    private readonly byte[] _key = File.ReadAllBytes(CorralPaths.SecretsKey) is { Length: 32 } key
        ? key
        : throw new InvalidOperationException($"{CorralPaths.SecretsKey} must hold exactly 32 bytes.");

    public byte[]? Seal(string sandboxId, IDictionary<string, string> env)
    {
        if (env.Count == 0)
        {
            return null;
        }

        var plain = JsonSerializer.SerializeToUtf8Bytes(env);
        var box = new byte[NonceLength + plain.Length + TagLength];
        RandomNumberGenerator.Fill(box.AsSpan(0, NonceLength));
        using var aes = new AesGcm(_key, TagLength);
        aes.Encrypt(box.AsSpan(0, NonceLength), plain, box.AsSpan(NonceLength, plain.Length), box.AsSpan(NonceLength + plain.Length), Context(sandboxId));
        CryptographicOperations.ZeroMemory(plain);
        return box;
    }

    /// <summary>The environment; null when it was sealed under another key, or is not this sandbox's.</summary>
    public Dictionary<string, string>? Open(string sandboxId, byte[]? box)
    {
        if (box is null)
        {
            return [];
        }

        var length = box.Length - NonceLength - TagLength;
        var plain = new byte[length];
        using var aes = new AesGcm(_key, TagLength);
        try
        {
            aes.Decrypt(box.AsSpan(0, NonceLength), box.AsSpan(NonceLength, length), box.AsSpan(NonceLength + length), plain, Context(sandboxId));
        }
        catch (AuthenticationTagMismatchException)
        {
            return null;
        }

        return JsonSerializer.Deserialize<Dictionary<string, string>>(plain) ?? [];
    }

    private static byte[] Context(string sandboxId) => System.Text.Encoding.UTF8.GetBytes("env:" + sandboxId);
}
