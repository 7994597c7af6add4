using Corral.Hosting;
using Corral.Sessions.Keys;
using Corral.Sessions.Lifecycle;
using Corral.Sessions.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Corral.Sessions.Grpc;

internal sealed class AccessGrpcService(KeyStore keys, ReadyWait ready) : AccessService.AccessServiceBase
{
    private const int DigestLength = 32;
    private const int MaxWaitMs = 30_000;

    public override async Task<AuthenticateResponse> Authenticate(AuthenticateRequest request, ServerCallContext context)
    {
        if (request.KeySha256.Length != DigestLength || await keys.FindAsync(request.KeySha256.Memory) is not { } key)
        {
            throw Invalid();
        }

        var response = new AuthenticateResponse { OrganizationId = key.Organization, KeyId = key.Id, Plan = key.Plan, ExpiresAt = key.ExpiresAt?.ToTimestamp() };
        response.Scopes.AddRange(key.Scopes);
        return response;
    }

    public override async Task<CheckKeyResponse> CheckKey(CheckKeyRequest request, ServerCallContext context) =>
        ApiKeys.IsId(request.KeyId) && await keys.FindGoodAsync(request.OrganizationId, request.KeyId) is { } key
            ? new CheckKeyResponse { Scopes = { key.Scopes }, Plan = key.Plan }
            : throw Invalid();

    public override async Task<LocateResponse> Locate(LocateRequest request, ServerCallContext context)
    {
        var caller = CallerIdentity.From(context);
        if (request.WaitMs is < 0 or > MaxWaitMs)
        {
            throw RpcErrors.InvalidArgument("wait_ms", $"must be from 0 to {MaxWaitMs}");
        }

        var patience = TimeSpan.FromMilliseconds(request.WaitMs);
        var record = (Ids.IsValid(request.SandboxId, "sbx-") ? await ready.FindAsync(caller.OrganizationId, request.SandboxId, patience, context.CancellationToken) : null)
            ?? throw RpcErrors.NotFound("SANDBOX_NOT_FOUND", "Sandbox session not found");
        if (!record.TakesWork && !(request.LastPlace && record.NodeAddress.Length > 0))
        {
            throw request.LastPlace && record.IsOver
                ? RpcErrors.FailedPrecondition("SANDBOX_NEVER_RAN", "The sandbox ended before it had a node: there is nothing of it")
                : RpcErrors.FailedPrecondition("SANDBOX_NOT_READY", "Sandbox is not ready");
        }

        return new LocateResponse
        {
            NodeId = record.NodeId,
            NodeAddress = record.NodeAddress,
            Generation = record.Generation,
            State = record.State,
            ExpiresAt = record.ExpiresAt?.ToTimestamp(),
        };
    }

    private static RpcException Invalid() => RpcErrors.Unauthenticated("INVALID_API_KEY", "Invalid or missing API key");
}
