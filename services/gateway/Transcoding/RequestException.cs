using Corral.Hosting;

namespace Corral.Gateway.Transcoding;

/// <summary>A request that cannot be read. Its text is told to the client.</summary>
internal sealed class RequestException(string message, int status = StatusCodes.Status400BadRequest, IReadOnlyList<FieldViolation>? fields = null) : Exception(message)
{
    public int Status { get; } = status;

    /// <summary>The fields that are wrong, by the dialect's names.</summary>
    public IReadOnlyList<FieldViolation> Fields { get; } = fields ?? [];
}
