using Corral.Api.V1;
using Corral.Sessions.Records;

namespace Corral.Sessions.Lifecycle;

/// <summary>Asks for a sandbox's end. The answer does not wait for it.</summary>
internal sealed class SandboxEnder(SandboxStore store, DueQueue due, SandboxDriver driver, TimeProvider clock)
{
    /// <summary>The record, ending or over; null when there is none. <paramref name="by"/> is the key whose holder asks, if one does.</summary>
    public async Task<SandboxRecord?> EndAsync(string organization, string id, string reason, string? by = null)
    {
        while (await store.FindAsync(organization, id) is { } seen)
        {
            if (SandboxMachine.Next(seen.Record.State, SandboxEvent.EndAsked) is not { } next)
            {
                return seen.Record;
            }

            var ending = seen.Record with { State = next, EndReason = reason, EndedBy = by, EndAskedAt = clock.GetUtcNow() };
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
