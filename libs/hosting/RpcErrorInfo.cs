using Grpc.Core;

namespace Corral.Hosting;

/// <summary>One field that a request got wrong.</summary>
/// <param name="Field">The field's name in the contract, such as <c>max_duration_ms</c>.</param>
/// <param name="Description">What is wrong, and what would be accepted.</param>
public readonly record struct FieldViolation(string Field, string Description);

/// <summary>An error of an RPC, read from its status and details.</summary>
/// <param name="Code">The canonical code.</param>
/// <param name="Reason">The stable UPPER_SNAKE reason; empty when the error carries none.</param>
/// <param name="Message">For a person.</param>
/// <param name="Metadata">Facts that belong to the reason, such as <c>limit</c>.</param>
/// <param name="Violations">Fields that the request got wrong.</param>
/// <param name="RetryAfter">When to try again, if that is known.</param>
public sealed record RpcErrorInfo(
    StatusCode Code,
    string Reason,
    string Message,
    IReadOnlyDictionary<string, string> Metadata,
    IReadOnlyList<FieldViolation> Violations,
    TimeSpan? RetryAfter);
