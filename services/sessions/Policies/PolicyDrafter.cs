using Corral.Api.V1;
using Corral.Hosting;
using Corral.Sessions.Records;
using Corral.Sessions.Vault;
using Google.Protobuf;
using Microsoft.Extensions.Options;

namespace Corral.Sessions.Policies;

/// <summary>What a create asks of the outbound side, ready to be written.</summary>
/// <param name="Policy">The policy.</param>
/// <param name="Env">The environment, placeholders in place of its secrets.</param>
/// <param name="Capabilities">The capabilities, their secrets masked.</param>
internal sealed record PolicyDraft(PolicyRecord Policy, IDictionary<string, string> Env, Capabilities? Capabilities);

/// <summary>Makes policies of what clients ask for: checks them, and that the secrets that they name are there.</summary>
internal sealed class PolicyDrafter(PolicyValidator validator, PolicySealer sealer, SecretStore vault, IOptions<PolicyOptions> options)
{
    private const string ProxyField = "capabilities.browser.byoProxyUrl";

    /// <summary>The draft of a new sandbox. It is written down as a user of its secrets, so that a later change of them finds it.</summary>
    public async Task<PolicyDraft> DraftAsync(string organization, string sandboxId, CreateRequest request)
    {
        var policy = Known(request.NetworkPolicy ?? new NetworkPolicy { Mode = options.Value.DefaultMode });
        validator.Check(policy);
        var proxy = request.Capabilities?.Browser is { HasByoProxyUrl: true, ByoProxyUrl: var url } ? url : "";
        var (env, placeholders) = Placeholders.Bind(request.Env);
        await RequireAsync(organization, sandboxId, Uses(policy).Concat(UsesOf(proxy)).Concat(placeholders.Select(p => new Use(p.SecretName, "env"))), proxy);
        return new PolicyDraft(sealer.Seal(sandboxId, new PolicySource(policy, proxy), placeholders), env, Masked(request.Capabilities));
    }

    /// <summary>The record of a changed policy, at the version after the present one.</summary>
    public async Task<PolicyRecord> RedraftAsync(SandboxRecord sandbox, PolicyRecord present, NetworkPolicy asked)
    {
        var source = sealer.Open(sandbox.Id, present);
        var policy = Unmasked(Known(asked), source?.Policy);
        validator.Check(policy);
        await RequireAsync(sandbox.Organization, sandbox.Id, Uses(policy));
        return sealer.Seal(sandbox.Id, new PolicySource(policy, source?.UpstreamProxy ?? ""), present.Placeholders) with
        {
            FormerSecretNames = present.NotedSecretNames,
            Version = present.Version + 1,
            InForce = present.InForce,
            // What cannot be opened is kept as it is: nothing leaves past a proxy that was asked for.
            SealedProxy = present.SealedProxy,
        };
    }

    /// <summary>Takes a draft back that was not written.</summary>
    public Task ForgetAsync(SandboxRecord sandbox) => sandbox.Policy is { SecretNames: [_, ..] names }
        ? vault.RemoveUserAsync(sandbox.Organization, names, sandbox.Id)
        : Task.CompletedTask;

    // What is not known is not checked either, and what was not checked is not kept.
    private static NetworkPolicy Known(NetworkPolicy policy) => NetworkPolicy.Parser.WithDiscardUnknownFields(true).ParseFrom(policy.ToByteString());

    private async Task RequireAsync(string organization, string sandboxId, IEnumerable<Use> uses, string proxy = "")
    {
        var wanted = uses.ToList();
        if (wanted.Count == 0)
        {
            return;
        }

        var names = wanted.Select(use => use.Name).Distinct(StringComparer.Ordinal).ToList();
        var values = await vault.ReadAsync(organization, names);
        if (wanted.Find(use => !values.ContainsKey(use.Name)) is { } missing)
        {
            throw RpcErrors.InvalidArgument(missing.Path, $"there is no secret '{missing.Name}'");
        }

        if (ProxyUrl.CheckCredentials(proxy, name => values[name].Value) is { } problem)
        {
            throw RpcErrors.InvalidArgument(ProxyField, problem);
        }

        // Before the record is written, and the values are read again after it is: a change in between is not lost.
        await vault.AddUserAsync(organization, names, sandboxId);
    }

    // A client that sends back what it was answered keeps the values that it was not shown.
    private static NetworkPolicy Unmasked(NetworkPolicy asked, NetworkPolicy? present)
    {
        var policy = asked.Clone();
        foreach (var transform in policy.Transforms)
        {
            var before = present?.Transforms.FirstOrDefault(t => string.Equals(t.Domain, transform.Domain, StringComparison.OrdinalIgnoreCase));
            foreach (var name in transform.InjectHeaders.Where(h => h.Value == PolicyValidator.Mask).Select(h => h.Key).ToList())
            {
                transform.InjectHeaders[name] =
                    before?.InjectHeaders.FirstOrDefault(h => string.Equals(h.Key, name, StringComparison.OrdinalIgnoreCase)).Value ?? PolicyValidator.Mask;
            }
        }

        return policy;
    }

    private static Capabilities? Masked(Capabilities? capabilities)
    {
        if (capabilities?.Browser is not { HasByoProxyUrl: true })
        {
            return capabilities;
        }

        var masked = capabilities.Clone();
        masked.Browser.ByoProxyUrl = ProxyUrl.Mask(masked.Browser.ByoProxyUrl);
        return masked;
    }

    private static IEnumerable<Use> Uses(NetworkPolicy policy) =>
        from numbered in policy.Transforms.Select((transform, index) => (transform, index))
        from header in numbered.transform.InjectHeaders
        from name in SecretReferences.Names(header.Value) ?? []
        select new Use(name, PolicyValidator.PathOf(numbered.index, header.Key));

    private static IEnumerable<Use> UsesOf(string proxy) =>
        (SecretReferences.Names(proxy) ?? []).Select(name => new Use(name, ProxyField));

    /// <summary>A secret, and the field that names it.</summary>
    private sealed record Use(string Name, string Path);
}
