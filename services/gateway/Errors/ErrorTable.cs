using Corral.Gateway.Transcoding;
using Corral.Hosting;
using Google.Protobuf.Reflection;
using Grpc.Core;

namespace Corral.Gateway.Errors;

/// <summary>An error as HTTP callers see it.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Message">For a person.</param>
/// <param name="Code">The stable code, where the dialect has one.</param>
/// <param name="Facts">What belongs to it, such as <c>limit</c> and <c>currentPlan</c>.</param>
/// <param name="RetryAfter">When to come back, if that is known.</param>
/// <param name="Fields">The fields that are wrong.</param>
internal sealed record ApiError(
    int Status,
    string Message,
    string? Code = null,
    IReadOnlyDictionary<string, string>? Facts = null,
    TimeSpan? RetryAfter = null,
    IReadOnlyList<FieldViolation>? Fields = null);

/// <summary>From a canonical code and a reason to what HTTP callers see. Nothing internal passes.</summary>
internal static class ErrorTable
{
    private const string Fault = "Internal server error";
    private static readonly TimeSpan DefaultRetry = TimeSpan.FromSeconds(1);

    public static ApiError From(RpcException exception, MessageDescriptor? request = null) => From(RpcErrors.Read(exception), request);

    public static ApiError From(RpcErrorInfo error, MessageDescriptor? request = null)
    {
        var leap = request is not null && MessageShape.Of(request).Leap;
        var status = StatusOf(error, leap);
        if (status == StatusCodes.Status500InternalServerError)
        {
            return new ApiError(status, Fault);
        }

        var retry = status == StatusCodes.Status503ServiceUnavailable ? error.RetryAfter ?? DefaultRetry : error.RetryAfter;
        var fields = leap ? error.Violations.Select(v => v with { Field = MessageShape.Of(request!).JsonPath(v.Field) }).ToList() : error.Violations;
        return new ApiError(status, MessageOf(error, request), CodeOf(error), error.Metadata, retry, fields);
    }

    /// <summary>Something that the gateway itself needs is away.</summary>
    public static ApiError From(DependencyUnavailableException exception) =>
        new(StatusCodes.Status503ServiceUnavailable, exception.Message, exception.Reason, RetryAfter: exception.RetryAfter);

    /// <summary>What may be told of an error. One without a reason was not made by us, but by a library that speaks of sockets and paths.</summary>
    public static string Tell(RpcErrorInfo error) => error.Reason.Length > 0 ? error.Message : error.Code switch
    {
        StatusCode.InvalidArgument or StatusCode.OutOfRange => "The request is not valid.",
        StatusCode.Unauthenticated => "Invalid or missing API key",
        StatusCode.PermissionDenied => "Insufficient permissions",
        StatusCode.NotFound or StatusCode.Unimplemented => "Not found",
        StatusCode.ResourceExhausted => "A limit was reached.",
        StatusCode.Unavailable => "The service is unavailable. Try again shortly.",
        StatusCode.DeadlineExceeded => "The request took too long.",
        StatusCode.Cancelled => "The request was cancelled.",
        StatusCode.AlreadyExists or StatusCode.FailedPrecondition or StatusCode.Aborted => "The request does not fit the present state.",
        _ => Fault,
    };

    private static int StatusOf(RpcErrorInfo error, bool leap) => (error.Code, error.Reason) switch
    {
        (_, "CONCURRENT_SANDBOX_LIMIT") when leap => StatusCodes.Status409Conflict,
        (_, "FILE_TOO_LARGE") => StatusCodes.Status413PayloadTooLarge,
        (_, "NO_SPACE") => StatusCodes.Status507InsufficientStorage,
        (_, "IDEMPOTENCY_CONFLICT") => StatusCodes.Status422UnprocessableEntity,
        (StatusCode.InvalidArgument or StatusCode.OutOfRange, _) => StatusCodes.Status400BadRequest,
        (StatusCode.Unauthenticated, _) => StatusCodes.Status401Unauthorized,
        (StatusCode.PermissionDenied, _) => StatusCodes.Status403Forbidden,
        (StatusCode.NotFound, _) => StatusCodes.Status404NotFound,
        (StatusCode.AlreadyExists or StatusCode.FailedPrecondition or StatusCode.Aborted, _) => StatusCodes.Status409Conflict,
        (StatusCode.ResourceExhausted, _) => StatusCodes.Status429TooManyRequests,
        (StatusCode.Unimplemented, _) => StatusCodes.Status404NotFound,
        (StatusCode.Unavailable, _) => StatusCodes.Status503ServiceUnavailable,
        (StatusCode.DeadlineExceeded, _) => StatusCodes.Status504GatewayTimeout,
        (StatusCode.Cancelled, _) => StatusCodes.Status499ClientClosedRequest,
        _ => StatusCodes.Status500InternalServerError,
    };

    private static string MessageOf(RpcErrorInfo error, MessageDescriptor? request)
    {
        if (error is not { Reason: "INVALID_ARGUMENT", Violations: [var first, ..] })
        {
            return Tell(error);
        }

        // Services speak of their contract's fields; callers know the dialect's.
        var name = request is null ? JsonField.Camel(first.Field) : MessageShape.Of(request).JsonPath(first.Field);
        return $"Invalid {name}: {first.Description}";
    }

    private static string? CodeOf(RpcErrorInfo error) => error.Reason switch
    {
        "" or "INTERNAL" or "INVALID_ARGUMENT" => null,
        var reason => reason,
    };
}
