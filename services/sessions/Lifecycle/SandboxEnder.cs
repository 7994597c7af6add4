using Corral.Api.V1;
using Corral.Sessions.Records;

namespace Corral.Sessions.Lifecycle;

/// <summary>Asks for a sandbox's end. The answer does not wait for it.</summary>
internal sealed class SandboxEnder(SandboxStore store, DueQueue due, SandboxDriver driver, TimeProvider clock)
{
    /// <summary>The record, ending or over; null when there is none.</summary>
    /// <param name="organization">Whose it is.</param>
    /// <param name="id">Which one.</param>
    /// <param name="reason">Who or what ends it.</param>
    /// <param name="why">Tells a person more than the reason.</param>
    /// <param name="by">The key whose holder asks, if one does.</param>
    public async Task<SandboxRecord?> EndAsync(string organization, string id, string reason, string? why = null, string? by = null)
    {
        while (await store.FindAsync(organization, id) is { } seen)
        {
            if (SandboxMachine.Next(seen.Record.State, SandboxEvent.EndAsked) is not { } next)
            {
                return seen.Record;
            }

            var ending = seen.Record with { State = next, EndReason = reason, FailureReason = why, EndedBy = by, EndAskedAt = clock.GetUtcNow() };
            await due.AnnounceAsync(organization, id, seen.Version + 1);
            if (await store.SaveAsync(seen, ending))
            {
                driver.Drive(organization, id);
                return ending;
            }
        }

        return null;
    }
}
