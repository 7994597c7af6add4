using System.Collections.Immutable;
using Corral.Egress.V1;

namespace Corral.Egress.Policies;

/// <summary>A header that is set on the way out. Its value is a secret: a class without a text of its own, so that no log can hold it.</summary>
internal sealed class HeaderInjection(string name, string value, ImmutableArray<SecretUse> secrets)
{
    public string Name { get; } = name;

    public string Value { get; } = value;

    /// <summary>Whether a secret that it was made of was revoked: it has no value any more.</summary>
    public bool IsRevoked => Value.Length == 0;

    /// <summary>Which of the vault's secrets the value was made of.</summary>
    public ImmutableArray<SecretUse> Secrets { get; } = secrets;
}
