namespace Corral.Gateway.Kept;

/// <summary>Answers that are told again for up to a second, unless something of their organisation changes before: docs/decisions/0015.</summary>
/// <remarks>
/// An organisation's answers lie on a shelf, and all shelves in a room. Take the shelf before you ask: a change throws the shelf away, with all
/// that is put on it later by those who asked before. The same happens to the room when its second is over. While notices of changes
/// cannot be heard there is none.
/// </remarks>
internal sealed class KeptAnswers(TimeProvider clock)
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(1);

    private Room? _room;

    /// <summary>Where an organisation's answers lie; null while none are kept.</summary>
    public Shelf? ShelfOf(string organization)
    {
        var room = Volatile.Read(ref _room);
        if (room is not null && clock.GetElapsedTime(room.Since) >= Longest)
        {
            room = Replace(room);
        }

        return room?.ShelfOf(organization);
    }

    /// <summary>Forgets the answers of an organisation, those included that are being asked for.</summary>
    public void Forget(string organization) => Volatile.Read(ref _room)?.Forget(organization);

    /// <summary>Forgets everything, and keeps from now on, or nothing any more.</summary>
    public void Keep(bool keep) => Volatile.Write(ref _room, keep ? new Room(clock.GetTimestamp()) : null);

    // One of those who come at once replaces it; none brings it back that was taken away.
    private Room? Replace(Room old)
    {
        var fresh = new Room(clock.GetTimestamp());
        var found = Interlocked.CompareExchange(ref _room, fresh, old);
        return found == old ? fresh : found;
    }
}
