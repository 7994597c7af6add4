using Corral.Api.V1;
using Corral.Egress.V1;
using Corral.Sessions.Records;
using Corral.Sessions.Vault;

namespace Corral.Sessions.Policies;

/// <summary>Makes of a record what its node is told: the policy with every value in it. The answer is never logged.</summary>
/// <remarks>
/// What cannot be filled in lets nothing out: a header or placeholder whose secret was revoked goes without a value, and egress refuses
/// the requests that would carry it; a proxy's address that cannot be filled in, or a policy that cannot be read, becomes deny-all.
/// </remarks>
internal sealed partial class PolicyResolver(PolicySealer sealer, SecretStore vault, ILogger<PolicyResolver> log)
{
    private static readonly Dictionary<string, SecretValue> NoSecrets = [];

    /// <summary>The policy; null for a sandbox that was made before there were any: nothing leaves it.</summary>
    public async Task<Policy?> ResolveAsync(SandboxRecord sandbox)
    {
        if (sandbox.Policy is not { } record)
        {
            return null;
        }

        if (sealer.Open(sandbox.Id, record) is not { } source)
        {
            LogUnreadable(sandbox.Id);
            return Nothing(record);
        }

        var secrets = record.SecretNames.Count == 0 ? NoSecrets : await vault.ReadAsync(sandbox.Organization, record.SecretNames);
        var proxy = SecretReferences.Fill(source.UpstreamProxy, name => secrets.TryGetValue(name, out var secret) ? Uri.EscapeDataString(secret.Value) : null);
        return proxy is null ? Nothing(record) : Build(record, source.Policy, proxy, secrets);
    }

    /// <summary>What is told in place of a policy that cannot be.</summary>
    public static Policy Nothing(PolicyRecord record) => new() { Version = record.Version, Mode = PolicyMode.DenyAll };

    private static Policy Build(PolicyRecord record, NetworkPolicy source, string proxy, Dictionary<string, SecretValue> secrets)
    {
        var policy = new Policy
        {
            Version = record.Version,
            Mode = source.Mode switch { "allow-all" => PolicyMode.AllowAll, "custom" => PolicyMode.Custom, _ => PolicyMode.DenyAll },
            UpstreamProxy = proxy,
        };
        policy.AllowDomains.AddRange(source.AllowDomains.Select(domain => domain.ToLowerInvariant()));
        policy.AllowCidrs.AddRange(source.AllowCidrs.Select(range => PolicyGrammar.ParseCidr(range)!.Value.ToString()));
        policy.Transforms.AddRange(source.Transforms.Select(transform => Build(transform, secrets)));
        policy.Placeholders.AddRange(record.Placeholders.Select(placeholder => Build(placeholder, secrets)));
        return policy;
    }

    private static Transform Build(NetworkTransform source, Dictionary<string, SecretValue> secrets)
    {
        var transform = new Transform { Domain = source.Domain.ToLowerInvariant() };
        transform.StripHeaders.AddRange(source.StripHeaders);
        foreach (var (name, text) in source.InjectHeaders)
        {
            var header = new InjectedHeader { Name = name, Value = SecretReferences.Fill(text, secret => secrets.GetValueOrDefault(secret)?.Value) ?? "" };
            header.Secrets.AddRange((SecretReferences.Names(text) ?? []).Select(secret => Use(secret, secrets)));
            transform.InjectHeaders.Add(header);
        }

        return transform;
    }

    private static Placeholder Build(PlaceholderRecord source, Dictionary<string, SecretValue> secrets) => new()
    {
        Text = source.Text,
        Domain = source.Host,
        Value = secrets.GetValueOrDefault(source.SecretName)?.Value ?? "",
        Secret = Use(source.SecretName, secrets),
    };

    private static SecretUse Use(string name, Dictionary<string, SecretValue> secrets) =>
        new() { Name = name, Version = secrets.GetValueOrDefault(name)?.Version ?? 0 };

    [LoggerMessage(Level = LogLevel.Error, Message = "The policy of sandbox {SandboxId} cannot be read: the instance's secrets key is another one. Nothing leaves it.")]
    private partial void LogUnreadable(string sandboxId);
}
