using System.Text.Json.Serialization;

namespace Corral.Sessions.Records;

/// <summary>What may leave a sandbox, as its record holds it: nothing of it is secret but what is sealed.</summary>
internal sealed record PolicyRecord
{
    /// <summary>Grows with each change of what a node must be told, a secret's new value included.</summary>
    public long Version { get; init; } = 1;

    /// <summary>The version that its node confirmed.</summary>
    public long InForce { get; init; }

    /// <summary>The policy as it is answered, as protobuf: values of headers are masked.</summary>
    public required byte[] Public { get; init; }

    /// <summary>The policy as it was asked for, sealed; null when nothing in it is masked.</summary>
    public byte[]? Sealed { get; init; }

    /// <summary>The upstream proxy's address, sealed.</summary>
    public byte[]? SealedProxy { get; init; }

    /// <summary>What stands for secrets in the environment.</summary>
    public IReadOnlyList<PlaceholderRecord> Placeholders { get; init; } = [];

    /// <summary>Names of the vault's secrets that it needs.</summary>
    public IReadOnlyList<string> SecretNames { get; init; } = [];

    /// <summary>Names of those that policies before it needed: the sandbox is still noted as a user of them.</summary>
    public IReadOnlyList<string> FormerSecretNames { get; init; } = [];

    /// <summary>Whose user the sandbox is noted as.</summary>
    [JsonIgnore]
    public IReadOnlyList<string> NotedSecretNames => [.. SecretNames.Union(FormerSecretNames, StringComparer.Ordinal)];
}

/// <summary>A text in a sandbox's environment that stands for a secret in requests to one host.</summary>
internal sealed record PlaceholderRecord(string Text, string Host, string SecretName);
