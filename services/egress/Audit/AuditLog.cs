using System.Collections.Concurrent;
using System.Threading.Channels;
using Corral.Egress.Gates;
using Corral.Egress.V1;
using Google.Protobuf.WellKnownTypes;

namespace Corral.Egress.Audit;

/// <summary>
/// What the sandboxes tried to reach. Recording never waits: a full queue, or a sandbox that causes more than its share, loses records, and
/// they are counted. One task writes.
/// </summary>
internal sealed partial class AuditLog(
    AuditPlace place, EgressOptions options, EgressTelemetry telemetry, TimeProvider clock, ILogger<AuditLog> log) : BackgroundService
{
    private const int QueueLength = 65_536, BatchSize = 1024;

    // Records come one by one, and a file is opened for each batch of them.
    private static readonly TimeSpan Gathering = TimeSpan.FromMilliseconds(20);

    private readonly ConcurrentDictionary<string, AuditTrail> _trails = new(StringComparer.Ordinal);

    // Full: Record sees that and counts; FlushAsync waits.
    private readonly Channel<Entry> _queue = Channel.CreateBounded<Entry>(new BoundedChannelOptions(QueueLength) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });

    private TaskCompletionSource _hurry = NewSource();

    /// <summary>Begins with a sandbox that was attached.</summary>
    public void Begin(AttachedSandbox sandbox) => TrailOf(sandbox.Id).Begin();

    /// <summary>Keeps a record. Time, sandbox and sequence are set here.</summary>
    public void Record(AttachedSandbox sandbox, AuditRecord record)
    {
        var trail = TrailOf(sandbox.Id);
        record.SandboxId = sandbox.Id;
        record.Time = Timestamp.FromDateTimeOffset(clock.GetUtcNow());
        if (!options.AuditPaths) record.Path = "";
        if (trail.TryMakeRoom() && _queue.Writer.TryWrite(new Entry(trail, record, null))) return;
        trail.Drop();
        telemetry.AuditDropped();
    }

    /// <summary>The records of a sandbox after a cursor, as far as they are kept, with all that was recorded before this call.</summary>
    public async Task<(AuditTrail Trail, List<AuditRecord> Records, AuditCursor Next)> ReadAsync(
        string sandboxId, AuditCursor cursor, int limit, bool refusedOnly, CancellationToken cancellationToken)
    {
        await FlushAsync(cancellationToken);
        var trail = TrailOf(sandboxId);
        var (records, next) = trail.Read(cursor, limit, refusedOnly);
        return (trail, records, next);
    }

    /// <summary>The trail of a sandbox, of one that is long gone, too.</summary>
    public AuditTrail TrailOf(string sandboxId) =>
        _trails.TryGetValue(sandboxId, out var trail)
            ? trail
            : _trails.GetOrAdd(sandboxId, id => new AuditTrail(place.Directory, id, options.AuditBytes, clock));

    /// <summary>Waits until everything that was recorded so far is written.</summary>
    public async Task FlushAsync(CancellationToken cancellationToken)
    {
        var done = NewSource();
        while (!_queue.Writer.TryWrite(new Entry(null, null, done)))
        {
            // It is closed when the service stops, and then all is written already.
            if (!await _queue.Writer.WaitToWriteAsync(cancellationToken)) return;
        }

        Hurry();
        await done.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Forgets the trails of sandboxes that are gone; their files stay.</summary>
    public void Forget(Func<string, bool> isGone)
    {
        foreach (var id in _trails.Keys.Where(isGone)) _trails.TryRemove(id, out _);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        _queue.Writer.TryComplete();
        Hurry();
        if (ExecuteTask is { } writing) await writing.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await base.StopAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        telemetry.Observe("corral.egress.audit.depth", "Records that wait to be written.", () => _queue.Reader.Count);
        var batch = new List<Entry>(BatchSize);
        // It ends when the queue does, so that the last records are written too.
        while (await _queue.Reader.WaitToReadAsync(CancellationToken.None))
        {
            await Task.WhenAny(Volatile.Read(ref _hurry).Task, Task.Delay(Gathering, clock, CancellationToken.None));
            Volatile.Write(ref _hurry, NewSource());
            while (batch.Count < BatchSize && _queue.Reader.TryRead(out var entry)) batch.Add(entry);
            Write(batch);
            batch.Clear();
        }
    }

    // Somebody waits, and what it waits for is in the queue.
    private void Hurry() => Volatile.Read(ref _hurry).TrySetResult();

    private static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private void Write(List<Entry> batch)
    {
        foreach (var group in batch.Where(entry => entry.Trail is not null).GroupBy(entry => entry.Trail!, entry => entry.Record!))
        {
            try
            {
                group.Key.Write([.. group]);
                foreach (var record in group) LogRecord(record.SandboxId, record.Kind, record.Allowed, record.Name, record.Address, record.Port, record.Rule, record.Reason, record.Status);
            }
            catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
            {
                foreach (var _ in group) group.Key.Drop();
                LogLost(problem, group.Key.SandboxId);
            }
        }

        foreach (var entry in batch) entry.Flushed?.SetResult();
    }

    private readonly record struct Entry(AuditTrail? Trail, AuditRecord? Record, TaskCompletionSource? Flushed);

    // For the OTLP exporter; the console does not get it (see EgressHost).
    [LoggerMessage(Level = LogLevel.Information, EventName = "corral.egress.audit", Message = "{Kind} of {SandboxId}: allowed {Allowed}, {Name} {Address}:{Port}, rule {Rule}, reason {Reason}, status {Status}.")]
    private partial void LogRecord(string sandboxId, AuditKind kind, bool allowed, string name, string address, int port, string rule, string reason, int status);

    [LoggerMessage(Level = LogLevel.Error, Message = "Audit records of {SandboxId} could not be written and are lost.")]
    private partial void LogLost(Exception problem, string sandboxId);
}
