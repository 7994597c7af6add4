namespace Corral.Sessions.Webhooks;

/// <summary>One try at a delivery.</summary>
/// <param name="At">When it began, in milliseconds.</param>
/// <param name="DurationMs">How long it took.</param>
/// <param name="Status">The HTTP status that was answered.</param>
/// <param name="Answer">The first bytes of what was answered.</param>
/// <param name="Error">Why there was no good answer, one of <see cref="AttemptErrors"/>; null for success.</param>
internal sealed record Attempt(long At, long DurationMs, int? Status, string Answer, string? Error);

/// <summary>Why an attempt failed.</summary>
internal static class AttemptErrors
{
    public const string Status = "status";
    public const string Redirect = "redirect";
    public const string Timeout = "timeout";
    public const string NameNotFound = "name_not_found";
    public const string AddressRefused = "address_refused";
    public const string ConnectFailed = "connect_failed";
    public const string TlsFailed = "tls_failed";
    public const string BadAnswer = "bad_answer";
    public const string SecretUnreadable = "secret_unreadable";
}
