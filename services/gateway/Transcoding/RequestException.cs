namespace Corral.Gateway.Transcoding;

/// <summary>A request that cannot be read. Its text is told to the client.</summary>
internal sealed class RequestException(string message, int status = StatusCodes.Status400BadRequest) : Exception(message)
{
    public int Status { get; } = status;
}
