namespace Corral.Egress.Termination;

/// <summary>The dialer's refusal, on its way through the HTTP client.</summary>
/// <param name="reason">One of <see cref="Flows.Refusals"/>.</param>
internal sealed class UpstreamRefusedException(string reason) : IOException($"There is no way to the server: {reason}.")
{
    public string Reason => reason;

    /// <summary>Looks for it among an exception's causes.</summary>
    public static UpstreamRefusedException? In(Exception? exception)
    {
        while (exception is not null and not UpstreamRefusedException)
        {
            exception = exception.InnerException;
        }

        return (UpstreamRefusedException?)exception;
    }
}
