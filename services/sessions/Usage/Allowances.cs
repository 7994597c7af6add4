using Corral.Sessions.Creating;
using Corral.Sessions.Organizations;
using Corral.Sessions.Records;
using Microsoft.Extensions.Options;

namespace Corral.Sessions.Usage;

/// <summary>A plan, and what it allows.</summary>
internal sealed record Allowance(string Plan, PlanLimits Limits);

/// <summary>What each organisation is allowed, and what is left of it.</summary>
internal sealed class Allowances(OrganizationStore organizations, UsageReader usage, IOptions<PlanOptions> plans, TimeProvider clock)
{
    /// <summary>What an organisation is allowed, on its plan or beside it for machines of its own measure.</summary>
    public async Task<Allowance> OfAsync(string organization, bool custom)
    {
        var plan = custom ? PlanOptions.CustomName : await organizations.PlanAsync(organization);
        return new Allowance(plan, plans.Value.Of(plan));
    }

    // What is left is looked at no more often than this, until there is less of it.
    private const double ShortestLook = 1000;

    /// <summary>
    /// How long the month's hours last a sandbox at the least: with as many beside it as the plan allows, which may start at any moment.
    /// Looked at again by then, there is more left, or none: nothing or less when they are used up.
    /// </summary>
    public async Task<TimeSpan> LeftAsync(SandboxRecord record)
    {
        var reading = usage.ReadAsync(record.Organization, record.IsCustom, Metering.MonthOf(clock.GetUtcNow()));
        var allowance = await OfAsync(record.Organization, record.IsCustom);
        var used = await reading;
        var left = allowance.Limits.MillisecondsPerMonth - used.Milliseconds;
        var most = Math.Max(1, Math.Max(used.Running, allowance.Limits.ConcurrentSandboxes));
        return TimeSpan.FromMilliseconds(left <= 0 ? left : Math.Min(left, Math.Max(ShortestLook, Math.Ceiling((double)left / most))));
    }
}
