namespace Corral.Bench.Egress;

/// <summary>A way from a client to the origin.</summary>
/// <param name="Name">Its name in the table.</param>
/// <param name="Namespace">Where its clients are.</param>
/// <param name="Web">The address that requests go to, which get their authorization on the way.</param>
/// <param name="Opaque">The address of TLS that is not ended on the way; null for none.</param>
/// <param name="BytesPort">The port of plain bytes; null for none.</param>
/// <param name="Process">What carries it; null for nothing.</param>
internal sealed record Way(string Name, string Namespace, string Web, string? Opaque, int? BytesPort, RunningProcess? Process)
{
    /// <summary>Seconds of load before anything is measured.</summary>
    public int WarmUp { get; init; } = 1;
}
