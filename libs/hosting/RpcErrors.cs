using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using RpcStatus = Google.Rpc.Status;
using Status = Grpc.Core.Status;

namespace Corral.Hosting;

/// <summary>Builds and reads every error that crosses a service boundary: a canonical code, a message, and <c>google.rpc</c> details.</summary>
public static class RpcErrors
{
    /// <summary>The trailer that carries <c>google.rpc.Status</c>.</summary>
    public const string DetailsTrailer = "grpc-status-details-bin";

    private const string Domain = "corral";

    // An error travels in headers, whatever it repeats of a request or was told by a guest. A client that is sent more than 64 KiB of them ends the
    // whole connection, and with it everybody's calls.
    private const int LongestText = 500;
    private const int MostText = 8_000;

    // google.rpc.ErrorInfo calls its first field `reason`; the packaged class still has its older name, `Type`. The wire is the same.

    /// <summary>A request with one wrong field.</summary>
    public static RpcException InvalidArgument(string field, string description) =>
        InvalidArgument("INVALID_ARGUMENT", $"{field}: {description}", new FieldViolation(field, description));

    /// <summary>A request with wrong fields, with a reason and a message of its own.</summary>
    public static RpcException InvalidArgument(string reason, string message, params FieldViolation[] violations) =>
        Build(StatusCode.InvalidArgument, reason, message, null, violations);

    /// <summary>A request with wrong fields, with a reason, a message and facts of its own.</summary>
    public static RpcException InvalidArgument(string reason, string message, IReadOnlyDictionary<string, string> metadata, params FieldViolation[] violations) =>
        Build(StatusCode.InvalidArgument, reason, message, metadata, violations);

    /// <summary>Something that is not there, or not the caller's.</summary>
    public static RpcException NotFound(string reason, string message) => Build(StatusCode.NotFound, reason, message);

    /// <summary>Something that is there already.</summary>
    public static RpcException AlreadyExists(string reason, string message) => Build(StatusCode.AlreadyExists, reason, message);

    /// <summary>A request that does not fit the present state.</summary>
    public static RpcException FailedPrecondition(string reason, string message, IReadOnlyDictionary<string, string>? metadata = null) =>
        Build(StatusCode.FailedPrecondition, reason, message, metadata);

    /// <summary>A change of something that somebody else changed first.</summary>
    public static RpcException Aborted(string reason, string message) => Build(StatusCode.Aborted, reason, message);

    /// <summary>A limit that was hit.</summary>
    public static RpcException ResourceExhausted(
        string reason, string message, IReadOnlyDictionary<string, string>? metadata = null, TimeSpan? retryAfter = null) =>
        Build(StatusCode.ResourceExhausted, reason, message, metadata, retryAfter: retryAfter);

    /// <summary>A caller that could not be recognised.</summary>
    public static RpcException Unauthenticated(string reason, string message) => Build(StatusCode.Unauthenticated, reason, message);

    /// <summary>A caller that may not do this.</summary>
    public static RpcException PermissionDenied(string reason, string message, IReadOnlyDictionary<string, string>? metadata = null) =>
        Build(StatusCode.PermissionDenied, reason, message, metadata);

    /// <summary>Something that is away for a while.</summary>
    public static RpcException Unavailable(string reason, string message, TimeSpan retryAfter) =>
        Build(StatusCode.Unavailable, reason, message, retryAfter: retryAfter);

    /// <summary>Something that is not offered.</summary>
    public static RpcException NotImplemented(string reason, string message) => Build(StatusCode.Unimplemented, reason, message);

    /// <summary>Something that took too long.</summary>
    public static RpcException DeadlineExceeded(string reason, string message) => Build(StatusCode.DeadlineExceeded, reason, message);

    /// <summary>A fault of ours, with a text that may be told.</summary>
    public static RpcException Internal(string reason, string message) => Build(StatusCode.Internal, reason, message);

    /// <summary>Reads an error that a called service answered. Details that cannot be read are left out.</summary>
    public static RpcErrorInfo Read(RpcException exception)
    {
        var status = ReadDetails(exception.Trailers);
        var reason = "";
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        var violations = new List<FieldViolation>();
        TimeSpan? retryAfter = null;
        foreach (var detail in status?.Details ?? [])
        {
            if (detail.TryUnpack<ErrorInfo>(out var info))
            {
                reason = info.Type;
                foreach (var (name, value) in info.Metadata)
                {
                    metadata[name] = value;
                }
            }
            else if (detail.TryUnpack<BadRequest>(out var bad))
            {
                violations.AddRange(bad.FieldViolations.Select(v => new FieldViolation(v.Field, v.Description)));
            }
            else if (detail.TryUnpack<RetryInfo>(out var retry))
            {
                retryAfter = retry.RetryDelay.ToTimeSpan();
            }
        }

        return new RpcErrorInfo(exception.StatusCode, reason, exception.Status.Detail, metadata, violations, retryAfter);
    }

    private static RpcStatus? ReadDetails(Metadata trailers)
    {
        try
        {
            return trailers.GetValueBytes(DetailsTrailer) is { } bytes ? RpcStatus.Parser.ParseFrom(bytes) : null;
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }

    private static RpcException Build(
        StatusCode code,
        string reason,
        string message,
        IReadOnlyDictionary<string, string>? metadata = null,
        IReadOnlyList<FieldViolation>? violations = null,
        TimeSpan? retryAfter = null)
    {
        message = Shorten(message);
        var info = new ErrorInfo { Type = reason, Domain = Domain };
        foreach (var (name, value) in metadata ?? new Dictionary<string, string>())
        {
            info.Metadata[name] = Shorten(value);
        }

        var status = new RpcStatus { Code = (int)code, Message = message, Details = { Any.Pack(info) } };
        if (violations is { Count: > 0 })
        {
            status.Details.Add(Any.Pack(Describe(violations)));
        }

        if (retryAfter is { } delay)
        {
            status.Details.Add(Any.Pack(new RetryInfo { RetryDelay = Duration.FromTimeSpan(delay) }));
        }

        return new RpcException(new Status(code, message), new Metadata { { DetailsTrailer, status.ToByteArray() } });
    }

    // As many as there is room for; the first always.
    private static BadRequest Describe(IReadOnlyList<FieldViolation> violations)
    {
        var (bad, length) = (new BadRequest(), 0);
        foreach (var (field, description) in violations.Select(v => (Shorten(v.Field), Shorten(v.Description))))
        {
            length += field.Length + description.Length;
            if (length > MostText)
            {
                break;
            }

            bad.FieldViolations.Add(new BadRequest.Types.FieldViolation { Field = field, Description = description });
        }

        return bad;
    }

    // Never half a character.
    private static string Shorten(string text) => text.Length <= LongestText
        ? text
        : string.Concat(text.AsSpan(0, char.IsHighSurrogate(text[LongestText - 1]) ? LongestText - 1 : LongestText), "…");
}
