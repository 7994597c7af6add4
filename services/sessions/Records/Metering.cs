namespace Corral.Sessions.Records;

/// <summary>Divides time among days and months, which are UTC's.</summary>
internal static class Metering
{
    /// <summary>What each day has of a time, in milliseconds. Nothing where it ends before it begins: a clock may have been set back.</summary>
    public static IEnumerable<(DateOnly Day, long Milliseconds)> Days(DateTimeOffset from, DateTimeOffset until)
    {
        // Whole milliseconds, so that the parts are as much as the whole.
        var (start, end) = (from.ToUnixTimeMilliseconds(), until.ToUnixTimeMilliseconds());
        while (start < end)
        {
            var day = DateOnly.FromDateTime(DateTimeOffset.FromUnixTimeMilliseconds(start).UtcDateTime);
            var next = Math.Min(end, Start(day.AddDays(1)).ToUnixTimeMilliseconds());
            yield return (day, next - start);
            start = next;
        }
    }

    /// <summary>The first day of a time's month.</summary>
    public static DateOnly MonthOf(DateTimeOffset time) => new(time.UtcDateTime.Year, time.UtcDateTime.Month, 1);

    /// <summary>The moment at which a day begins.</summary>
    public static DateTimeOffset Start(DateOnly day) => new(day.ToDateTime(TimeOnly.MinValue), TimeSpan.Zero);
}
