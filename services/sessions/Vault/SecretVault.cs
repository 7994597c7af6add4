using Corral.Hosting;
using Corral.Sessions.Policies;
using Microsoft.Extensions.Options;

namespace Corral.Sessions.Vault;

/// <summary>Changes secrets: the value first, then every sandbox that uses it.</summary>
internal sealed class SecretVault(SecretStore store, Rotations rotations, IOptions<PolicyOptions> options)
{
    private const int MaxValueLength = 4096;

    /// <summary>Gives a secret a new value; answers when it is in force wherever it is used.</summary>
    public async Task<SecretFacts> PutAsync(string organization, string name, string value, CancellationToken cancellationToken)
    {
        CheckName(name);
        if (value.Length > MaxValueLength || !PolicyGrammar.IsHeaderValue(value))
        {
            throw RpcErrors.InvalidArgument("value", $"must be 1 to {MaxValueLength} bytes of visible ASCII, with spaces and tabs only in between");
        }

        if (SecretReferences.Has(value))
        {
            throw RpcErrors.InvalidArgument("value", "must not name another secret");
        }

        await ChangeAsync(organization, name, seen => store.PutAsync(organization, name, seen, value, options.Value.MaxSecrets), cancellationToken);
        return await store.FindAsync(organization, name) ?? throw Missing();
    }

    /// <summary>Revokes a secret; answers when no sandbox sends it any more.</summary>
    public Task RevokeAsync(string organization, string name, CancellationToken cancellationToken)
    {
        CheckName(name);
        return ChangeAsync(organization, name, seen => store.RevokeAsync(organization, name, seen), cancellationToken);
    }

    public async Task<SecretFacts> FindAsync(string organization, string name)
    {
        CheckName(name);
        return await store.FindAsync(organization, name) ?? throw Missing();
    }

    private async Task ChangeAsync(string organization, string name, Func<long, Task<PutStatus>> write, CancellationToken cancellationToken)
    {
        while (true)
        {
            var seen = await store.VersionAsync(organization, name);
            await rotations.AnnounceAsync(organization, name, seen + 1);
            switch (await write(seen))
            {
                case PutStatus.Written:
                    await rotations.RunAsync(organization, name, cancellationToken);
                    return;
                case PutStatus.TooMany:
                    throw RpcErrors.ResourceExhausted("SECRET_LIMIT", "The organization has as many secrets as it may have");
                case PutStatus.NotThere:
                    throw Missing();
            }
        }
    }

    private static void CheckName(string name)
    {
        if (!SecretReferences.IsName(name))
        {
            throw RpcErrors.InvalidArgument("name", "must be a letter, then letters, digits and _ . -, at most 64 in all");
        }
    }

    private static global::Grpc.Core.RpcException Missing() => RpcErrors.NotFound("SECRET_NOT_FOUND", "Secret not found");
}
