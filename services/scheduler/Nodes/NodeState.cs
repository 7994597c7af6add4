using Corral.Scheduler.V1;

namespace Corral.Scheduler.Nodes;

/// <summary>A node as all replicas of the scheduler see it.</summary>
/// <param name="Description">What it told of itself.</param>
/// <param name="CommittedCpu">Thousandths of a processor that sandboxes hold.</param>
/// <param name="CommittedMemory">Bytes that sandboxes hold.</param>
/// <param name="CommittedDisk">Bytes that sandboxes hold.</param>
/// <param name="Sandboxes">How many sandboxes hold room.</param>
/// <param name="Cordoned">Whether an operator took it out of placement.</param>
/// <param name="Accepting">Whether it takes new sandboxes.</param>
/// <param name="LastSeen">Its last sign of life.</param>
/// <param name="Drain">How it is drained, if it is.</param>
internal sealed record NodeState(
    NodeDescription Description,
    long CommittedCpu,
    long CommittedMemory,
    long CommittedDisk,
    int Sandboxes,
    bool Cordoned,
    bool Accepting,
    DateTimeOffset LastSeen,
    NodeDrain? Drain = null)
{
    public string Id => Description.NodeId;
}
