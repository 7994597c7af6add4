using Corral.Api.V1;
using Corral.Hosting;
using Corral.Sessions.Keys;
using Corral.Sessions.Organizations;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Corral.Sessions.Grpc;

internal sealed class OrganizationGrpcService(OrganizationRegister register) : OrganizationService.OrganizationServiceBase
{
    private const int DefaultLimit = 100;
    private const int MaxLimit = 1000;

    public override async Task<CreateOrganizationResponse> CreateOrganization(CreateOrganizationRequest request, ServerCallContext context)
    {
        Operator.Check(CallerIdentity.From(context));
        var (organization, key, text) = await register.CreateAsync(request.Name, request.HasPlan ? request.Plan : null);
        return new CreateOrganizationResponse { Organization = ToPublic(organization), ApiKey = text, ApiKeyId = key.Id };
    }

    public override async Task<GetOrganizationResponse> GetOrganization(GetOrganizationRequest request, ServerCallContext context)
    {
        Operator.Check(CallerIdentity.From(context));
        return new GetOrganizationResponse { Organization = ToPublic(await register.FindAsync(request.OrganizationId)) };
    }

    public override async Task<ListOrganizationsResponse> ListOrganizations(ListOrganizationsRequest request, ServerCallContext context)
    {
        Operator.Check(CallerIdentity.From(context));
        var limit = request.HasLimit ? request.Limit : DefaultLimit;
        if (limit is < 1 or > MaxLimit)
        {
            throw RpcErrors.InvalidArgument("limit", $"must be 1 to {MaxLimit}");
        }

        var found = await register.ListAsync(request.Cursor, limit);
        var response = new ListOrganizationsResponse();
        response.Items.AddRange(found.Select(ToPublic));
        if (found.Count == limit)
        {
            response.NextCursor = found[^1].Id;
        }

        return response;
    }

    public override async Task<UpdateOrganizationResponse> UpdateOrganization(UpdateOrganizationRequest request, ServerCallContext context)
    {
        Operator.Check(CallerIdentity.From(context));
        var changed = await register.ChangeAsync(request.OrganizationId, request.HasName ? request.Name : null, request.HasPlan ? request.Plan : null);
        return new UpdateOrganizationResponse { Organization = ToPublic(changed) };
    }

    private static Organization ToPublic(OrganizationFacts facts) =>
        new() { OrganizationId = facts.Id, Name = facts.Name, Plan = facts.Plan, CreatedAt = facts.CreatedAt.ToTimestamp() };
}
