using System.Text;
using Corral.Api.V1;
using Corral.Sessions.Records;
using Google.Protobuf;

namespace Corral.Sessions.Policies;

/// <summary>A policy with everything that is secret in it.</summary>
/// <param name="Policy">As it was asked for.</param>
/// <param name="UpstreamProxy">The proxy's address; empty for none.</param>
internal sealed record PolicySource(NetworkPolicy Policy, string UpstreamProxy);

/// <summary>Takes policies apart into what may be shown and what is sealed, and puts them together again.</summary>
internal sealed class PolicySealer(Secrets secrets)
{
    /// <summary>A record of a policy, at its first version, with the names of all secrets that it needs.</summary>
    public PolicyRecord Seal(string sandboxId, PolicySource source, IReadOnlyList<PlaceholderRecord> placeholders)
    {
        var shown = Masked(source.Policy);
        var names = source.Policy.Transforms.SelectMany(t => t.InjectHeaders.Values).Append(source.UpstreamProxy)
            .SelectMany(text => SecretReferences.Names(text) ?? []).Concat(placeholders.Select(p => p.SecretName));
        return new PolicyRecord
        {
            Public = shown.ToByteArray(),
            Sealed = shown.Equals(source.Policy) ? null : secrets.SealBytes(PolicyContext(sandboxId), source.Policy.ToByteArray()),
            SealedProxy = source.UpstreamProxy.Length == 0 ? null : secrets.SealBytes(ProxyContext(sandboxId), Encoding.UTF8.GetBytes(source.UpstreamProxy)),
            Placeholders = placeholders,
            SecretNames = [.. names.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)],
        };
    }

    /// <summary>The policy of a record; null when it was sealed under another key.</summary>
    public PolicySource? Open(string sandboxId, PolicyRecord record)
    {
        var policy = record.Sealed is null ? record.Public : secrets.OpenBytes(PolicyContext(sandboxId), record.Sealed);
        var proxy = record.SealedProxy is null ? [] : secrets.OpenBytes(ProxyContext(sandboxId), record.SealedProxy);
        return policy is null || proxy is null ? null : new PolicySource(NetworkPolicy.Parser.ParseFrom(policy), Encoding.UTF8.GetString(proxy));
    }

    private static NetworkPolicy Masked(NetworkPolicy policy)
    {
        var masked = policy.Clone();
        foreach (var headers in masked.Transforms.Select(transform => transform.InjectHeaders))
        {
            foreach (var name in headers.Keys.ToList())
            {
                headers[name] = PolicyValidator.Mask;
            }
        }

        return masked;
    }

    private static string PolicyContext(string sandboxId) => "policy:" + sandboxId;

    private static string ProxyContext(string sandboxId) => "proxy:" + sandboxId;
}
