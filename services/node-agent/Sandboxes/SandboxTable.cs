using Corral.NodeAgent.Outbound;
using Corral.NodeAgent.Runtimes;

namespace Corral.NodeAgent.Sandboxes;

/// <summary>
/// The sandboxes with a tenant on this node. Starting and ending are idempotent by (sandbox, generation): whoever asks again waits for what
/// is under way.
/// </summary>
internal sealed partial class SandboxTable(
    BoxClaimer claimer, BoxRemover remover, TemplateCatalog templates, RuntimeCatalog runtimes, NodeCapacity capacity, SandboxFeed feed,
    NodeTelemetry telemetry, TimeProvider clock, ILogger<SandboxTable> log)
{
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(250);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, SandboxEntry> _entries = new(StringComparer.Ordinal);
    private readonly EndedSandboxes _ended = new(clock);
    private bool _closed;

    /// <summary>Whether new sandboxes are taken.</summary>
    public bool Accepting => !Volatile.Read(ref _closed);

    public IReadOnlyList<SandboxView> List()
    {
        lock (_lock) return [.. _entries.Values.Select(entry => entry.View()).OrderBy(view => view.SandboxId, StringComparer.Ordinal)];
    }

    /// <summary>The box of a sandbox that runs; null for any other.</summary>
    public Box? Find(string sandboxId)
    {
        lock (_lock) return _entries.TryGetValue(sandboxId, out var entry) && entry.Phase == SandboxPhase.Running ? entry.Box : null;
    }

    /// <summary>Whether the sandbox is here, in whatever phase.</summary>
    public bool Knows(string sandboxId)
    {
        lock (_lock) return _entries.ContainsKey(sandboxId);
    }

    /// <summary>Takes no new sandboxes any more; those that are here go on.</summary>
    public void Close() => Volatile.Write(ref _closed, true);

    public async Task<StartOutcome> StartAsync(SandboxOrder order, CancellationToken cancellationToken)
    {
        if (templates.Find(order.Template) is not { } template) return new StartOutcome.UnknownTemplate();
        if (runtimes.Find(order.Isolation) is not { } runtime) return new StartOutcome.UnknownIsolation([.. runtimes.All.Select(one => one.Isolation)]);
        while (true)
        {
            Task<StartOutcome> starting;
            Task? older = null;
            lock (_lock)
            {
                if (_ended.Covers(order.SandboxId, order.Generation) is { } last) return new StartOutcome.Stale(last);
                if (_entries.TryGetValue(order.SandboxId, out var there))
                {
                    if (there.Order.Generation > order.Generation) return new StartOutcome.Stale(there.Order.Generation);
                    if (there.Order.Generation < order.Generation || there.Ending is not null) older = BeginEnd(there, null);
                }
                else
                {
                    if (_closed || !capacity.TryTake(order.Limits)) return new StartOutcome.Full();
                    there = new SandboxEntry(order, runtime.Isolation);
                    _entries.Add(order.SandboxId, there);
                    feed.Publish(there.View());
                    there.Starting = Task.Run(() => RunAsync(there, template, runtime), CancellationToken.None);
                }

                starting = there.Starting;
            }

            if (older is null) return await starting.WaitAsync(cancellationToken);
            await older.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Ends every generation up to this one; answers when it is gone.</summary>
    public async Task EndAsync(string sandboxId, long generation, CancellationToken cancellationToken)
    {
        Task ending;
        lock (_lock)
        {
            _ended.Note(sandboxId, generation);
            if (!_entries.TryGetValue(sandboxId, out var entry) || entry.Order.Generation > generation) return;
            ending = BeginEnd(entry, null);
        }

        await ending.WaitAsync(cancellationToken);
    }

    /// <summary>Takes over a box that an earlier node-agent started.</summary>
    public void Adopt(Box box)
    {
        var record = box.Record;
        var order = new SandboxOrder(record.SandboxId, record.Generation, record.OrganizationId, record.Template, record.Isolation,
            new Dictionary<string, string>(), record.Limits);
        var entry = new SandboxEntry(order, record.Isolation)
        {
            Phase = SandboxPhase.Running,
            Box = box,
            Starting = Task.FromResult<StartOutcome>(new StartOutcome.Running(record.Isolation, Warm: false)),
        };
        lock (_lock)
        {
            capacity.Take(record.Limits);
            _entries.Add(record.SandboxId, entry);
            feed.Publish(entry.View());
        }

        _ = WatchAsync(entry, box);
    }

    /// <summary>Counts a command of a box, as long as the answer is not disposed.</summary>
    public IDisposable BeginCommand(Box box) => box.BeginCommand(() => _ = TellOfWorkAsync(box));

    /// <summary>Tells of a box that something about it changed.</summary>
    public void Tell(Box box)
    {
        lock (_lock)
        {
            if (RunningEntry(box) is { } entry) Publish(entry, box);
        }
    }

    // What begins and ends within a moment changes nothing: each telling is a write to disk, and most commands are shorter than it.
    private async Task TellOfWorkAsync(Box box)
    {
        lock (_lock)
        {
            if (RunningEntry(box) is not { TellsSoon: false } entry) return;
            entry.TellsSoon = true;
        }

        await Task.Delay(Moment, clock);
        lock (_lock)
        {
            if (RunningEntry(box) is not { } entry) return;
            entry.TellsSoon = false;
            if (box.RunningCommands > 0 != entry.ToldOfWork) Publish(entry, box);
        }
    }

    private SandboxEntry? RunningEntry(Box box) =>
        _entries.TryGetValue(box.Record.SandboxId, out var entry) && entry.Box == box && entry.Phase == SandboxPhase.Running ? entry : null;

    private void Publish(SandboxEntry entry, Box box)
    {
        entry.ToldOfWork = box.RunningCommands > 0;
        feed.Publish(entry.View());
    }

    private async Task<StartOutcome> RunAsync(SandboxEntry entry, Template template, IContainerRuntime runtime)
    {
        try
        {
            var (box, warm) = await claimer.ClaimAsync(entry.Order, template, runtime, entry.Cancelled);
            lock (_lock)
            {
                entry.Box = box;
                if (entry.Ending is not null) return new StartOutcome.Failed("The sandbox was ended while it started.");
                entry.Phase = SandboxPhase.Running;
                feed.Publish(entry.View());
            }

            telemetry.Started(runtime.Isolation, warm);
            _ = WatchAsync(entry, box);
            return new StartOutcome.Running(runtime.Isolation, warm);
        }
        catch (Exception problem)
        {
            lock (_lock)
            {
                // Whoever ends it meanwhile waits for this task, and does the rest.
                if (entry.Ending is not null) return new StartOutcome.Failed("The sandbox was ended while it started.");
                entry.Phase = SandboxPhase.Failed;
                Forget(entry, new BoxDeath("START_FAILED", "The sandbox could not be started."));
            }

            LogStartFailed(problem, entry.Order.SandboxId, entry.Order.Generation);
            if (problem is EgressUnavailableException) return new StartOutcome.NoEgress();
            return new StartOutcome.Failed(problem is OperationCanceledException ? "Its guest did not answer in time." : "The sandbox could not be started.");
        }
    }

    private async Task WatchAsync(SandboxEntry entry, Box box)
    {
        var death = await box.Died;
        lock (_lock)
        {
            if (entry.Ending is not null) return;
            _ = BeginEnd(entry, death);
        }

        telemetry.Died(death.Reason);
        LogDied(entry.Order.SandboxId, entry.Order.Generation, death.Reason);
    }

    // Under the lock.
    private Task BeginEnd(SandboxEntry entry, BoxDeath? death)
    {
        if (entry.Ending is not null) return entry.Ending;
        entry.Phase = SandboxPhase.Ending;
        feed.Publish(entry.View());
        return entry.Ending = Task.Run(() => FinishAsync(entry, death));
    }

    private async Task FinishAsync(SandboxEntry entry, BoxDeath? death)
    {
        entry.Cancel();
        await entry.Starting;
        if (entry.Box is { } box) await remover.RemoveSurelyAsync(box);
        lock (_lock)
        {
            entry.Phase = death is null ? SandboxPhase.Ended : SandboxPhase.Exited;
            Forget(entry, death);
        }
    }

    private void Forget(SandboxEntry entry, BoxDeath? death)
    {
        _entries.Remove(entry.Order.SandboxId);
        capacity.GiveBack(entry.Order.Limits);
        feed.Publish(entry.View(death));
        entry.Dispose();
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Sandbox {SandboxId}, generation {Generation}, could not be started.")]
    private partial void LogStartFailed(Exception problem, string sandboxId, long generation);

    [LoggerMessage(Level = LogLevel.Information, Message = "Sandbox {SandboxId}, generation {Generation}, stopped by itself: {Reason}.")]
    private partial void LogDied(string sandboxId, long generation, string reason);
}
