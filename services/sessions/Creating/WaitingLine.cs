using Corral.Api.V1;
using Corral.Sessions.Records;
using Google.Protobuf.WellKnownTypes;

namespace Corral.Sessions.Creating;

/// <summary>Tells those that wait for a plan's room where they stand.</summary>
internal sealed class WaitingLine(SandboxStore store, TimeProvider clock)
{
    /// <summary>Its place; null when it does not wait.</summary>
    public async Task<QueuePlace?> PlaceAsync(SandboxRecord record)
    {
        if (!record.Waiting || record.State != SandboxState.Queued || await store.WaitsBehindAsync(record) is not { } before)
        {
            return null;
        }

        var room = await RoomAsync(record.Organization, record.IsCustom);
        return new QueuePlace { Position = (int)before + 1, EstimatedStartAt = before < room.Count ? room[(int)before].ToTimestamp() : null };
    }

    /// <summary>When each sandbox that counts makes room at the latest, in order.</summary>
    public async Task<IReadOnlyList<DateTimeOffset>> RoomAsync(string organization, bool custom)
    {
        var ids = await store.LiveAsync(organization, custom);
        var records = await Task.WhenAll(ids.Select(id => store.FindAsync(organization, id)));
        return [.. records.OfType<Versioned>().Select(found => found.Record)
            .Select(record => record.ExpiresAt ?? clock.GetUtcNow() + TimeSpan.FromMilliseconds(record.MaxDurationMs)).Order()];
    }
}
