using Corral.Egress.V1;

namespace Corral.Egress.Policies;

/// <summary>A text inside the sandbox, and the secret that it stands for in requests to one name.</summary>
internal sealed class SecretPlaceholder(string text, string value, SecretUse secret)
{
    public string Text { get; } = text;

    public string Value { get; } = value;

    /// <summary>Whether its secret was revoked: it has no value any more.</summary>
    public bool IsRevoked => Value.Length == 0;

    public SecretUse Secret { get; } = secret;
}
