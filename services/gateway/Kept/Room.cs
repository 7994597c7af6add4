using System.Collections.Concurrent;

namespace Corral.Gateway.Kept;

/// <summary>What is kept in one second; it lies there until the next request after that.</summary>
/// <param name="since">When it began.</param>
internal sealed class Room(long since)
{
    private const int MostAnswers = 10_000;
    private const long MostBytes = 64 * 1024 * 1024;

    private readonly ConcurrentDictionary<string, Shelf> _shelves = new(StringComparer.Ordinal);
    private int _answers;
    private long _bytes;

    public long Since => since;

    public Shelf ShelfOf(string organization) => _shelves.GetOrAdd(organization, static (_, room) => new Shelf(room), this);

    public void Forget(string organization) => _shelves.TryRemove(organization, out _);

    /// <summary>Whether there is room for one more. What is forgotten, or found no room, counts on: it is never for longer than the second.</summary>
    public bool Takes(int bytes) => Interlocked.Increment(ref _answers) <= MostAnswers && Interlocked.Add(ref _bytes, bytes) <= MostBytes;
}
