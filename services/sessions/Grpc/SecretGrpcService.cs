using Corral.Api.V1;
using Corral.Hosting;
using Corral.Sessions.Records;
using Corral.Sessions.Vault;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Corral.Sessions.Grpc;

internal sealed class SecretGrpcService(SecretVault vault, SecretStore secrets, SandboxStore sandboxes) : SecretService.SecretServiceBase
{
    public override async Task<PutSecretResponse> PutSecret(PutSecretRequest request, ServerCallContext context)
    {
        var organization = CallerIdentity.From(context).OrganizationId;
        var facts = await vault.PutAsync(organization, request.Name, request.Value, context.CancellationToken);
        return new PutSecretResponse { Secret = await DescribeAsync(organization, facts) };
    }

    public override async Task<GetSecretResponse> GetSecret(GetSecretRequest request, ServerCallContext context)
    {
        var organization = CallerIdentity.From(context).OrganizationId;
        return new GetSecretResponse { Secret = await DescribeAsync(organization, await vault.FindAsync(organization, request.Name)) };
    }

    public override async Task<ListSecretsResponse> ListSecrets(ListSecretsRequest request, ServerCallContext context)
    {
        var organization = CallerIdentity.From(context).OrganizationId;
        var facts = await Task.WhenAll((await secrets.NamesAsync(organization)).Select(name => secrets.FindAsync(organization, name)));
        var response = new ListSecretsResponse();
        response.Items.AddRange(await Task.WhenAll(facts.OfType<SecretFacts>().Select(one => DescribeAsync(organization, one))));
        return response;
    }

    public override async Task<DeleteSecretResponse> DeleteSecret(DeleteSecretRequest request, ServerCallContext context)
    {
        await vault.RevokeAsync(CallerIdentity.From(context).OrganizationId, request.Name, context.CancellationToken);
        return new DeleteSecretResponse();
    }

    private async Task<Secret> DescribeAsync(string organization, SecretFacts facts)
    {
        var secret = new Secret
        {
            Name = facts.Name,
            Version = facts.Version,
            CreatedAt = facts.CreatedAt.ToTimestamp(),
            UpdatedAt = facts.UpdatedAt.ToTimestamp(),
        };
        var users = await Task.WhenAll((await secrets.UsersAsync(organization, facts.Name)).Select(id => sandboxes.FindAsync(organization, id)));
        secret.UsedBy.AddRange(users.OfType<Versioned>().Select(user => user.Record)
            .Where(record => !record.IsOver && record.Policy?.SecretNames.Contains(facts.Name) == true)
            .Select(record => record.Id).Order(StringComparer.Ordinal));
        return secret;
    }
}
