using Corral.GuestLink;

namespace Corral.Guest;

/// <summary>Changes that a client has not been sent yet: in order, without repetitions, and not more than a bound.</summary>
internal sealed class ChangeQueue(int capacity)
{
    public const string Created = "created";
    public const string Modified = "modified";
    public const string Deleted = "deleted";

    // A character is at most six in JSON; a frame holds 64 KiB.
    private const int PortionLength = 56 * 1024;
    private const int LongestPerCharacter = 6;
    private const int Framing = 40;

    private readonly Queue<GuestChange> _waiting = [];
    private readonly Dictionary<string, string> _last = new(StringComparer.Ordinal);
    private bool _lost;

    public bool IsEmpty => _waiting.Count == 0 && !_lost;

    /// <summary>Adds a change, unless its path's last one already says so.</summary>
    public void Add(string path, string kind)
    {
        var last = _last.GetValueOrDefault(path);
        if (last == kind || (last == Created && kind == Modified))
        {
            return;
        }

        if (_waiting.Count == capacity)
        {
            Lose();
            return;
        }

        _waiting.Enqueue(new GuestChange(path, kind));
        _last[path] = kind;
    }

    /// <summary>Forgets what waits: the client must look for itself, and is told so.</summary>
    public void Lose()
    {
        _waiting.Clear();
        _last.Clear();
        _lost = true;
    }

    /// <summary>Takes as much as a frame holds.</summary>
    public GuestChanges Take()
    {
        var portion = new List<GuestChange>();
        var room = PortionLength;
        while (_waiting.TryPeek(out var next) && (portion.Count == 0 || room > (next.Path.Length * LongestPerCharacter) + Framing))
        {
            portion.Add(_waiting.Dequeue());
            room -= (next.Path.Length * LongestPerCharacter) + Framing;
        }

        if (_waiting.Count == 0)
        {
            _last.Clear();
        }

        var taken = new GuestChanges { Lost = _lost, Changes = portion };
        _lost = false;
        return taken;
    }
}
