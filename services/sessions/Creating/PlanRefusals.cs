using System.Globalization;
using Corral.Hosting;
using Corral.Sessions.Records;
using Corral.Sessions.Usage;
using Grpc.Core;

namespace Corral.Sessions.Creating;

/// <summary>Tells why a plan has no room: its limit, what is used of it, and when it will have room at the latest.</summary>
internal sealed class PlanRefusals(WaitingLine line, TimeProvider clock)
{
    public async Task<RpcException> OfAsync(SandboxRecord record, Allowance allowance, SaveResult result)
    {
        var limits = allowance.Limits;
        switch (result.Status)
        {
            case SaveStatus.HoursLimit:
                var next = Metering.Start(Metering.MonthOf(clock.GetUtcNow()).AddMonths(1));
                return Refusal("MONTHLY_HOURS_LIMIT", "Monthly sandbox hours limit reached", limits.HoursPerMonth, Hours(result.Value), allowance.Plan, next);
            case SaveStatus.WaitingLimit:
                return Refusal("WAITING_SANDBOX_LIMIT", "Waiting sandbox limit reached", limits.WaitingSandboxes, result.Value, allowance.Plan, null);
            default:
                var free = await line.RoomAsync(record.Organization, record.IsCustom);
                return Refusal(
                    "CONCURRENT_SANDBOX_LIMIT", "Concurrent sandbox limit reached", limits.ConcurrentSandboxes, result.Value, allowance.Plan, free.Count > 0 ? free[0] : null);
        }
    }

    private RpcException Refusal(string reason, string message, int limit, string current, string plan, DateTimeOffset? liftedAt)
    {
        SessionsTelemetry.PlanRefusals.Add(1, new KeyValuePair<string, object?>("reason", reason));
        var facts = new Dictionary<string, string>
        {
            ["limit"] = limit.ToString(CultureInfo.InvariantCulture),
            ["current"] = current,
            ["currentPlan"] = plan,
        };
        if (liftedAt is { } lifted)
        {
            facts["liftedAt"] = lifted.ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture);
        }

        return RpcErrors.ResourceExhausted(reason, message, facts, liftedAt - clock.GetUtcNow());
    }

    private static string Hours(string milliseconds) =>
        (double.Parse(milliseconds, CultureInfo.InvariantCulture) / TimeSpan.FromHours(1).TotalMilliseconds).ToString("0.##", CultureInfo.InvariantCulture);
}
