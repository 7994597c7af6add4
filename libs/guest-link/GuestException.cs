namespace Corral.GuestLink;

/// <summary>An operation that failed inside the sandbox.</summary>
/// <param name="code">As in <see cref="GuestError"/>; <c>lost</c> when the guest does not answer.</param>
/// <param name="message">For a person.</param>
/// <param name="inner">What was seen.</param>
public sealed class GuestException(string code, string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>As in <see cref="GuestError"/>; <c>lost</c> when the guest does not answer.</summary>
    public string Code { get; } = code;
}
