namespace Corral.Hosting;

/// <summary>Something that the service needs does not answer. Callers are told UNAVAILABLE, and when to come back.</summary>
public class DependencyUnavailableException : Exception
{
    /// <summary>Says which dependency is away.</summary>
    /// <param name="reason">The stable UPPER_SNAKE reason, such as STATE_STORE_UNAVAILABLE.</param>
    /// <param name="message">What callers are told: nothing internal.</param>
    /// <param name="retryAfter">When it is worth trying again.</param>
    /// <param name="inner">What was seen; logged, never told.</param>
    public DependencyUnavailableException(string reason, string message, TimeSpan retryAfter, Exception? inner = null)
        : base(message, inner)
    {
        Reason = reason;
        RetryAfter = retryAfter;
    }

    /// <summary>The stable UPPER_SNAKE reason.</summary>
    public string Reason { get; }

    /// <summary>When it is worth trying again.</summary>
    public TimeSpan RetryAfter { get; }
}
