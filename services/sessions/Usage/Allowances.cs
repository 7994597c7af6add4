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

    /// <summary>How long the month's hours last a sandbox if all that runs goes on; nothing or less when they are used up.</summary>
    public async Task<TimeSpan> LeftAsync(SandboxRecord record)
    {
        var reading = usage.ReadAsync(record.Organization, record.IsCustom, Metering.MonthOf(clock.GetUtcNow()));
        var allowance = await OfAsync(record.Organization, record.IsCustom);
        var used = await reading;
        var left = allowance.Limits.MillisecondsPerMonth - used.Milliseconds;
        return TimeSpan.FromMilliseconds(left <= 0 ? left : Math.Ceiling((double)left / Math.Max(1, used.Running)));
    }
}
