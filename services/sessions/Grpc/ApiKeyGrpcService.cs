using Corral.Api.V1;
using Corral.Hosting;
using Corral.Sessions.Keys;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using ApiKey = Corral.Api.V1.ApiKey;

namespace Corral.Sessions.Grpc;

internal sealed class ApiKeyGrpcService(ApiKeys keys, KeyStore store, TimeProvider clock) : ApiKeyService.ApiKeyServiceBase
{
    public override async Task<CreateApiKeyResponse> CreateApiKey(CreateApiKeyRequest request, ServerCallContext context)
    {
        var (facts, text) = await keys.CreateAsync(CallerIdentity.From(context), request.Name, request.Scopes, request.HasExpiresInMs ? request.ExpiresInMs : null);
        return new CreateApiKeyResponse { ApiKey = ToPublic(facts), Key = text };
    }

    public override async Task<GetApiKeyResponse> GetApiKey(GetApiKeyRequest request, ServerCallContext context) =>
        new() { ApiKey = ToPublic(await keys.FindAsync(CallerIdentity.From(context), request.ApiKeyId)) };

    public override async Task<ListApiKeysResponse> ListApiKeys(ListApiKeysRequest request, ServerCallContext context)
    {
        var response = new ListApiKeysResponse();
        response.Items.AddRange((await store.ListAsync(CallerIdentity.From(context).OrganizationId)).Select(ToPublic));
        return response;
    }

    public override async Task<UpdateApiKeyResponse> UpdateApiKey(UpdateApiKeyRequest request, ServerCallContext context)
    {
        var changed = await keys.ChangeAsync(
            CallerIdentity.From(context), request.ApiKeyId, request.HasName ? request.Name : null, request.Scopes?.Scopes_, request.HasExpiresInMs ? request.ExpiresInMs : null);
        return new UpdateApiKeyResponse { ApiKey = ToPublic(changed) };
    }

    public override async Task<RotateApiKeyResponse> RotateApiKey(RotateApiKeyRequest request, ServerCallContext context)
    {
        var (facts, text) = await keys.RotateAsync(CallerIdentity.From(context), request.ApiKeyId, request.OverlapMs);
        return new RotateApiKeyResponse { ApiKey = ToPublic(facts), Key = text };
    }

    public override async Task<RevokeApiKeyResponse> RevokeApiKey(RevokeApiKeyRequest request, ServerCallContext context)
    {
        await keys.RevokeAsync(CallerIdentity.From(context), request.ApiKeyId);
        return new RevokeApiKeyResponse();
    }

    private ApiKey ToPublic(KeyFacts facts)
    {
        var key = new ApiKey
        {
            ApiKeyId = facts.Id,
            Name = facts.Name,
            Hint = facts.Hint,
            CreatedAt = facts.CreatedAt.ToTimestamp(),
            ExpiresAt = facts.ExpiresAt?.ToTimestamp(),
            RevokedAt = facts.RevokedAt?.ToTimestamp(),
            State = facts.RevokedAt is not null ? ApiKeyState.Revoked : facts.ExpiresAt <= clock.GetUtcNow() ? ApiKeyState.Expired : ApiKeyState.Active,
        };
        key.Scopes.AddRange(facts.Scopes);
        return key;
    }
}
