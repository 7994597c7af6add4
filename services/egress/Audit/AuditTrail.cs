using Corral.Egress.Flows;
using Corral.Egress.V1;

namespace Corral.Egress.Audit;

/// <summary>The records of one sandbox, in two files of bounded size: when the younger is full, it takes the place of the older.</summary>
internal sealed class AuditTrail
{
    // What one sandbox may write: more than it can cause in earnest, and too little to crowd the others out.
    private const int PerSecond = 500, Saved = 5000;

    private readonly Lock _lock = new();
    private readonly string _path;
    private readonly long _mostBytes;
    private readonly TokenBucket _room;
    private TaskCompletionSource _written = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _sequence;
    private long _generation;
    private long _dropped;

    public AuditTrail(string directory, string sandboxId, long mostBytes, TimeProvider clock)
    {
        SandboxId = sandboxId;
        _path = Path.Combine(directory, sandboxId + ".audit");
        _mostBytes = mostBytes / 2;
        _room = new TokenBucket(clock);
        _room.Set(PerSecond, Saved);
        _sequence = (AuditFile.Repair(_path) ?? AuditFile.Repair(OlderPath))?.Sequence ?? 0;
    }

    public string SandboxId { get; }

    /// <summary>How many records were lost since the gate was attached.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    /// <summary>Completes when something is written.</summary>
    public Task Written => Volatile.Read(ref _written).Task;

    private string OlderPath => _path + ".1";

    public void Begin() => Interlocked.Exchange(ref _dropped, 0);

    public void Drop() => Interlocked.Increment(ref _dropped);

    public bool TryMakeRoom() => _room.TryTake();

    /// <summary>Numbers records and writes them. Only one may write.</summary>
    public void Write(IReadOnlyList<AuditRecord> records)
    {
        lock (_lock)
        {
            foreach (var record in records) record.Sequence = ++_sequence;
            if (new FileInfo(_path) is { Exists: true } file && file.Length >= _mostBytes)
            {
                File.Move(_path, OlderPath, overwrite: true);
                _generation++;
            }

            AuditFile.Append(_path, records);
        }

        Interlocked.Exchange(ref _written, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
    }

    /// <summary>The next records after a cursor, oldest first, and the cursor behind them.</summary>
    public (List<AuditRecord> Records, AuditCursor Next) Read(AuditCursor cursor, int limit, bool refusedOnly)
    {
        var records = new List<AuditRecord>();
        lock (_lock)
        {
            var (after, offset) = (cursor.After, cursor.Offset);
            if (cursor.Generation != _generation || offset == 0)
            {
                Collect(OlderPath, 0, limit, refusedOnly, records, ref after);
                offset = 0;
            }

            if (records.Count < limit) offset = Collect(_path, offset, limit, refusedOnly, records, ref after);
            return (records, new AuditCursor(after, _generation, offset));
        }
    }

    /// <summary>The cursor behind everything that is written.</summary>
    public AuditCursor End()
    {
        lock (_lock) return new AuditCursor(_sequence, -1, 0);
    }

    private static long Collect(string path, long from, int limit, bool refusedOnly, List<AuditRecord> records, ref long after)
    {
        var offset = from;
        foreach (var (record, end) in AuditFile.Read(path, from))
        {
            offset = end;
            if (record.Sequence <= after) continue;
            after = record.Sequence;
            if (refusedOnly && record.Allowed) continue;
            records.Add(record);
            if (records.Count == limit) break;
        }

        return offset;
    }
}
