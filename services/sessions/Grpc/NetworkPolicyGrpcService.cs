using Corral.Api.V1;
using Corral.Hosting;
using Corral.Sessions.Policies;
using Corral.Sessions.Records;
using Grpc.Core;

namespace Corral.Sessions.Grpc;

internal sealed class NetworkPolicyGrpcService(SandboxStore store, PolicyChanger changer) : NetworkPolicyService.NetworkPolicyServiceBase
{
    public override async Task<GetNetworkPolicyResponse> GetNetworkPolicy(GetNetworkPolicyRequest request, ServerCallContext context)
    {
        var caller = CallerIdentity.From(context);
        var record = (Ids.IsValid(request.SandboxId, "sbx-") ? await store.FindAsync(caller.OrganizationId, request.SandboxId) : null)?.Record ?? throw Missing();
        return new GetNetworkPolicyResponse { SandboxId = record.Id, Version = record.Policy?.Version ?? 0, NetworkPolicy = record.PublicPolicy() };
    }

    public override async Task<UpdateNetworkPolicyResponse> UpdateNetworkPolicy(UpdateNetworkPolicyRequest request, ServerCallContext context)
    {
        var caller = CallerIdentity.From(context);
        if (!Ids.IsValid(request.SandboxId, "sbx-"))
        {
            throw Missing();
        }

        var asked = request.NetworkPolicy ?? new NetworkPolicy();
        var record = await changer.ReplaceAsync(caller.OrganizationId, request.SandboxId, asked, request.HasVersion ? request.Version : null);
        var version = record.Policy!.Version;
        if (!await changer.WaitAsync(caller.OrganizationId, record.Id, version, context.CancellationToken))
        {
            throw PolicyChanger.NotInForce();
        }

        return new UpdateNetworkPolicyResponse { SandboxId = record.Id, Version = version, NetworkPolicy = record.PublicPolicy() };
    }

    private static RpcException Missing() => RpcErrors.NotFound("SANDBOX_NOT_FOUND", "Sandbox session not found");
}
