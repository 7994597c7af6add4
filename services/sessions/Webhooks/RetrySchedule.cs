namespace Corral.Sessions.Webhooks;

/// <summary>When a delivery is tried again: after pauses each four times the one before, less or more by a little so that many do not come at once.</summary>
internal static class RetrySchedule
{
    private const double Growth = 4;
    private const double Least = 0.9;
    private const double Spread = 0.15;

    /// <summary>The pause before the next attempt; null when there is to be none.</summary>
    /// <param name="attempts">How many there were.</param>
    /// <param name="age">The time since the first.</param>
    /// <param name="random">From 0 to 1.</param>
    /// <param name="options">The settings.</param>
    public static TimeSpan? Next(int attempts, TimeSpan age, double random, WebhookOptions options)
    {
        var pause = options.FirstPause * Math.Pow(Growth, attempts - 1) * (Least + (Spread * random));
        return attempts >= options.Attempts || age + pause > options.Patience ? null : pause;
    }
}
