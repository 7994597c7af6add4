using Corral.Api.V1;
using Corral.Sessions.Records;

namespace Corral.Sessions.Lifecycle;

/// <summary>Asks for a sandbox's end. The answer does not wait for it.</summary>
internal sealed class SandboxEnder(SandboxStore store, DueQueue due, SandboxDriver driver, TimeProvider clock)
{
    /// <summary>The record, ending or over; null when there is none. <paramref name="why"/> tells a person more than the reason.</summary>
    public async Task<SandboxRecord?> EndAsync(string organization, string id, string reason, string? why = null)
    {
        while (await store.FindAsync(organization, id) is { } seen)
        {
            if (SandboxMachine.Next(seen.Record.State, SandboxEvent.EndAsked) is not { } next)
            {
                return seen.Record;
            }

            var ending = seen.Record with { State = next, EndReason = reason, FailureReason = why, EndAskedAt = clock.GetUtcNow() };
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
