using Corral.Hosting;
using Corral.Sessions.Creating;
using Corral.Sessions.Keys;

namespace Corral.Sessions.Organizations;

/// <summary>Makes organisations and sets their plans, on the operator's behalf.</summary>
internal sealed class OrganizationRegister(OrganizationStore store, ApiKeys keys, TimeProvider clock)
{
    /// <summary>A new organisation, with its first key.</summary>
    public async Task<(OrganizationFacts Organization, KeyFacts Key, string KeyText)> CreateAsync(string name, string? plan)
    {
        var facts = new OrganizationFacts(Ids.New("org-"), Names.Check("name", name), CheckPlan(plan) ?? PlanOptions.Names[0], clock.GetUtcNow());
        await store.AddAsync(facts);
        var (key, text) = await keys.CreateFirstAsync(facts.Id);
        return (facts, key, text);
    }

    public async Task<OrganizationFacts> FindAsync(string id) => await store.FindAsync(id) ?? throw NotFound();

    public async Task<OrganizationFacts> ChangeAsync(string id, string? name, string? plan)
    {
        var (newName, newPlan) = (name is null ? null : Names.Check("name", name), CheckPlan(plan));
        await FindAsync(id);
        await store.ChangeAsync(id, newName, newPlan);
        return await FindAsync(id);
    }

    public async Task<IReadOnlyList<OrganizationFacts>> ListAsync(string after, int count) =>
        await store.ListAsync(after, count) ?? throw RpcErrors.InvalidArgument("cursor", "is not one that was answered");

    private static string? CheckPlan(string? plan) =>
        plan is null || PlanOptions.Names.Contains(plan) ? plan : throw RpcErrors.InvalidArgument("plan", "must be one of: " + string.Join(", ", PlanOptions.Names));

    private static global::Grpc.Core.RpcException NotFound() => RpcErrors.NotFound("ORGANIZATION_NOT_FOUND", "Organization not found");
}
