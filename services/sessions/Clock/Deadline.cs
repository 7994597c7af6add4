namespace Corral.Sessions.Clock;

/// <summary>Deadlines of calls: gRPC keeps them by the host's clock, whatever ours says.</summary>
internal static class Deadline
{
    public static DateTime In(TimeSpan patience) => TimeProvider.System.GetUtcNow().UtcDateTime + patience;
}
