using Corral.Egress.Gates;

namespace Corral.Egress.Dialing;

/// <summary>
/// The only way out. Whoever calls has judged the name or address by the sandbox's policy; the dialer resolves it, refuses the addresses that
/// are refused in every mode, and connects to exactly what it resolved.
/// </summary>
internal interface IUpstreamDialer
{
    /// <summary>Connects, or answers why not; throws only when cancelled.</summary>
    ValueTask<DialOutcome> ConnectAsync(AttachedSandbox sandbox, DialTarget target, CancellationToken cancellationToken);
}
