using Corral.Hosting;

namespace Corral.NodeAgent.Outbound;

/// <summary>The host's egress service does not answer. Nothing leaves a sandbox meanwhile, and none is started.</summary>
internal sealed class EgressUnavailableException(Exception? inner = null) : DependencyUnavailableException(
    "EGRESS_UNAVAILABLE", "The egress service of the sandbox's host does not answer: nothing leaves the sandbox.", TimeSpan.FromSeconds(1), inner);
