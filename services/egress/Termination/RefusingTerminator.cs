using Corral.Egress.Flows;

namespace Corral.Egress.Termination;

/// <summary>Refuses what would have to be terminated: nothing passes unread.</summary>
internal sealed class RefusingTerminator : ITerminator
{
    public Task HandleAsync(Flow flow, CancellationToken cancellationToken)
    {
        flow.Client.Abort();
        return Task.CompletedTask;
    }
}
