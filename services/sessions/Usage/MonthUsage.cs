namespace Corral.Sessions.Usage;

/// <summary>What an organisation used in a month, with what still runs.</summary>
/// <param name="Month">Its first day.</param>
/// <param name="Milliseconds">In all.</param>
/// <param name="Days">By day, in order.</param>
/// <param name="Running">How many sandboxes' time is being metered.</param>
internal sealed record MonthUsage(DateOnly Month, long Milliseconds, IReadOnlyList<(DateOnly Day, long Milliseconds)> Days, int Running);
