using Corral.Egress.Dialing.Proxies;
using Corral.Egress.Gates;

namespace Corral.Egress.Dialing;

/// <summary>Leaves by the way that the sandbox's policy says. There is no other way when that one fails.</summary>
internal sealed class UpstreamDialer(DirectDialer direct, ProxyDialer byProxy) : IUpstreamDialer
{
    public ValueTask<DialOutcome> ConnectAsync(AttachedSandbox sandbox, DialTarget target, CancellationToken cancellationToken) =>
        sandbox.Policy.Proxy is null
            ? direct.ConnectAsync(sandbox, target, cancellationToken)
            : byProxy.ConnectAsync(sandbox, target, cancellationToken);
}
