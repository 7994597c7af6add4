using Corral.Api.V1;
using Corral.Sessions.Lifecycle;
using Corral.Sessions.Records;
using Corral.Sessions.V1;

namespace Corral.Sessions.Nodes;

/// <summary>Compares what a node has with what should be, and repairs the record, or has the node end what nobody knows.</summary>
internal sealed class NodeReconciler(SandboxStore store, DueQueue due, SandboxDriver driver, TimeProvider clock)
{
    /// <summary>Takes one observation; false when the node must end the sandbox.</summary>
    public async Task<bool> ObserveAsync(string nodeId, SandboxObservation seen)
    {
        var stillThere = seen.Observed is Observed.Starting or Observed.Running;
        while (true)
        {
            var owner = await store.OwnerAsync(seen.SandboxId);
            var current = owner is null ? null : await store.FindAsync(owner, seen.SandboxId);
            if (current is null || current.Record.Generation != seen.Generation || current.Record.NodeId != nodeId || current.Record.IsOver)
            {
                return !stillThere;
            }

            var changed = WithPolicy(Change(current.Record, seen) ?? current.Record, seen);
            if (ReferenceEquals(changed, current.Record))
            {
                return true;
            }

            var drives = changed.IsOver || changed.Policy?.InForce < changed.Policy?.Version;
            if (drives)
            {
                // The room is given back, and the policy put in force, by the driver.
                await due.AnnounceAsync(changed.Organization, changed.Id, current.Version + 1);
            }

            if (await store.SaveAsync(current, changed))
            {
                if (drives)
                {
                    driver.Drive(changed.Organization, changed.Id);
                }

                return true;
            }
        }
    }

    // A node that restarted, or whose egress is away, says that it has no policy in force: the driver tells it again.
    private static SandboxRecord WithPolicy(SandboxRecord record, SandboxObservation seen) =>
        seen.Observed == Observed.Running && record is { TakesWork: true, Policy: { } policy } && policy.InForce != seen.PolicyVersion
            ? record with { Policy = policy with { InForce = seen.PolicyVersion } }
            : record;

    // What the observation makes of the record's state; null for nothing.
    private SandboxRecord? Change(SandboxRecord record, SandboxObservation seen)
    {
        var happened = seen.Observed switch
        {
            Observed.Running when seen.RunningCommands > 0 => SandboxEvent.WorkBegan,
            Observed.Running => SandboxEvent.WorkStopped,
            Observed.Exited when seen.Reason == "EXITED" => SandboxEvent.Gone,
            Observed.Exited or Observed.Failed => SandboxEvent.Broke,
            _ => (SandboxEvent?)null,
        };
        // A start that fails is the driver's to judge: it may try again.
        if (happened is null || (record.State == SandboxState.Assigning && happened == SandboxEvent.Broke)
            || SandboxMachine.Next(record.State, happened.Value) is not { } next)
        {
            return null;
        }

        if (next is not (SandboxState.Ended or SandboxState.Failed))
        {
            return record with { State = next, RunningCommands = seen.RunningCommands };
        }

        return record with
        {
            State = next,
            EndedAt = clock.GetUtcNow(),
            EndReason = record.EndReason ?? (seen.Reason.Length > 0 ? seen.Reason.ToLowerInvariant() : "exited"),
            FailureReason = next == SandboxState.Failed ? Text(seen) : null,
        };
    }

    private static string Text(SandboxObservation seen) =>
        seen.Message.Length > 0 ? seen.Message : "The sandbox stopped by itself.";
}
