using Corral.Egress.Dialing;
using Corral.Egress.Flows.Splicing;

namespace Corral.Egress.Flows;

/// <summary>Chooses how bytes are carried: by the kernel alone wherever they need not be changed.</summary>
internal sealed class RelayFactory(ReadinessPoller poller, PipePool pipes)
{
    public IRelay Create(Flow flow, Upstream upstream) =>
        upstream.Wrapped is { } wrapped ? new StreamRelay(flow, wrapped) : new SpliceRelay(flow, upstream.Socket, poller, pipes);
}
