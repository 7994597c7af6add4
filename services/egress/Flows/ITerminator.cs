namespace Corral.Egress.Flows;

/// <summary>Takes over the connections whose requests have to be read: TLS to a name with a transform or a placeholder, and plain HTTP to a name.</summary>
internal interface ITerminator
{
    /// <summary>
    /// Serves a connection to its end. Nothing was read from <see cref="Flow.Client"/> yet, and <see cref="Flow.Name"/> is set: every request
    /// must be for that name, and is judged by the sandbox's policy as it is then. Returns when both sides are done or
    /// <see cref="Flow.Closing"/> is cancelled; the caller closes the socket.
    /// </summary>
    Task HandleAsync(Flow flow, CancellationToken cancellationToken);
}
