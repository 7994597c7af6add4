using System.Globalization;
using Corral.Api.V1;
using Corral.Hosting;
using Corral.Sessions.Creating;
using Corral.Sessions.Records;
using Corral.Sessions.Usage;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.Extensions.Options;

namespace Corral.Sessions.Grpc;

internal sealed class UsageGrpcService(UsageReader usage, Allowances allowances, SandboxStore store, IOptions<PlanOptions> plans, TimeProvider clock)
    : UsageService.UsageServiceBase
{
    public override async Task<ReadUsageResponse> ReadUsage(ReadUsageRequest request, ServerCallContext context)
    {
        var organization = CallerIdentity.From(context).OrganizationId;
        var month = request.HasMonth ? ParseMonth(request.Month) : Metering.MonthOf(clock.GetUtcNow());
        var allowance = await allowances.OfAsync(organization, custom: false);
        var used = await usage.ReadAsync(organization, custom: false, month);
        var response = new ReadUsageResponse
        {
            Plan = allowance.Plan,
            PeriodStart = Metering.Start(month).ToTimestamp(),
            PeriodEnd = Metering.Start(month.AddMonths(1)).ToTimestamp(),
            SandboxHours = HoursOf(used, allowance.Limits),
            ConcurrentSandboxes = await ConcurrencyAsync(organization, allowance.Limits),
        };
        response.Days.AddRange(used.Days.Select(day => new DayUsage
        {
            Date = day.Day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
            Hours = Hours(day.Milliseconds),
            UsedMs = day.Milliseconds,
        }));
        return response;
    }

    public override async Task<GetBillingResponse> GetBilling(GetBillingRequest request, ServerCallContext context)
    {
        var organization = CallerIdentity.From(context).OrganizationId;
        var month = Metering.MonthOf(clock.GetUtcNow());
        var allowance = await allowances.OfAsync(organization, custom: false);
        var used = await usage.ReadAsync(organization, custom: false, month);
        var response = new GetBillingResponse
        {
            Plan = allowance.Plan,
            Limits = ToPublic(allowance.Plan, allowance.Limits),
            Usage = new BillingUsage { SandboxHours = HoursOf(used, allowance.Limits), ConcurrentSandboxes = await ConcurrencyAsync(organization, allowance.Limits) },
            PeriodStart = Metering.Start(month).ToTimestamp(),
            PeriodEnd = Metering.Start(month.AddMonths(1)).ToTimestamp(),
        };
        response.Plans.AddRange(PlanOptions.Names.Select(name => ToPublic(name, plans.Value.Of(name))));
        return response;
    }

    private static DateOnly ParseMonth(string month) =>
        DateOnly.TryParseExact(month, "yyyy-MM", CultureInfo.InvariantCulture, DateTimeStyles.None, out var first) && first.Year < DateOnly.MaxValue.Year
            ? first
            : throw RpcErrors.InvalidArgument("month", "must be a month such as 2026-03");

    private async Task<ConcurrencyUsage> ConcurrencyAsync(string organization, PlanLimits limits) => new()
    {
        Used = (await store.LiveAsync(organization, custom: false)).Count,
        Limit = limits.ConcurrentSandboxes,
        Waiting = (int)await store.WaitingAsync(organization, custom: false),
    };

    private static HoursUsage HoursOf(MonthUsage used, PlanLimits limits) => new()
    {
        Used = Hours(used.Milliseconds),
        UsedMs = used.Milliseconds,
        Limit = limits.HoursPerMonth,
        Remaining = Hours(Math.Max(0, limits.MillisecondsPerMonth - used.Milliseconds)),
    };

    private static PlanAllowance ToPublic(string plan, PlanLimits limits) => new()
    {
        Plan = plan,
        ConcurrentSandboxes = limits.ConcurrentSandboxes,
        MaxDurationMs = (long)limits.MaxDuration.TotalMilliseconds,
        SandboxHoursPerMonth = limits.HoursPerMonth,
        UpstreamProxies = limits.UpstreamProxies,
        PairedBrowser = limits.PairedBrowser,
    };

    private static double Hours(long milliseconds) => Math.Round(milliseconds / TimeSpan.FromHours(1).TotalMilliseconds, 6);
}
