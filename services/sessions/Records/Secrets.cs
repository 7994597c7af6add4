using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Corral.Hosting;

namespace Corral.Sessions.Records;

/// <summary>Seals at rest: AES-256-GCM under the instance's key, bound to what it is for and whose it is.</summary>
internal sealed class Secrets
{
    private const int NonceLength = 12;
    private const int TagLength = 16;

    private readonly byte[] _key = File.ReadAllBytes(CorralPaths.SecretsKey) is { Length: 32 } key
        ? key
        : throw new InvalidOperationException($"{CorralPaths.SecretsKey} must hold exactly 32 bytes.");

    /// <summary>Seals a sandbox's environment; null when it is empty.</summary>
    public byte[]? Seal(string sandboxId, IDictionary<string, string> env) =>
        env.Count == 0 ? null : SealBytes(Context(sandboxId), JsonSerializer.SerializeToUtf8Bytes(env));

    /// <summary>The environment; null when it was sealed under another key, or is not this sandbox's.</summary>
    public Dictionary<string, string>? Open(string sandboxId, byte[]? box)
    {
        if (box is null)
        {
            return [];
        }

        return OpenBytes(Context(sandboxId), box) is { } plain ? JsonSerializer.Deserialize<Dictionary<string, string>>(plain) ?? [] : null;
    }

    /// <summary>Seals bytes for one purpose, and wipes them.</summary>
    public byte[] SealBytes(string context, byte[] plain)
    {
        var box = new byte[NonceLength + plain.Length + TagLength];
        RandomNumberGenerator.Fill(box.AsSpan(0, NonceLength));
        using var aes = new AesGcm(_key, TagLength);
        aes.Encrypt(
            box.AsSpan(0, NonceLength), plain, box.AsSpan(NonceLength, plain.Length), box.AsSpan(NonceLength + plain.Length), Encoding.UTF8.GetBytes(context));
        CryptographicOperations.ZeroMemory(plain);
        return box;
    }

    /// <summary>What was sealed; null when it was under another key, or for another purpose.</summary>
    public byte[]? OpenBytes(string context, byte[] box)
    {
        var length = box.Length - NonceLength - TagLength;
        if (length < 0)
        {
            return null;
        }

        var plain = new byte[length];
        using var aes = new AesGcm(_key, TagLength);
        try
        {
            aes.Decrypt(
                box.AsSpan(0, NonceLength), box.AsSpan(NonceLength, length), box.AsSpan(NonceLength + length), plain, Encoding.UTF8.GetBytes(context));
            return plain;
        }
        catch (AuthenticationTagMismatchException)
        {
            return null;
        }
    }

    private static string Context(string sandboxId) => "env:" + sandboxId;
}
