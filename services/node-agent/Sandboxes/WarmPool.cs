using System.Collections.Immutable;
using Corral.NodeAgent.Host.Cgroups;
using Corral.NodeAgent.Outbound;
using Corral.NodeAgent.Runtimes;

namespace Corral.NodeAgent.Sandboxes;

/// <summary>What warm boxes are told apart by.</summary>
internal readonly record struct WarmKind(string Template, string Isolation);

/// <summary>
/// Boxes that are started, whose guest answers, and that are frozen since. A claim never waits for the filling, and a box that had a tenant
/// never comes back.
/// </summary>
internal sealed partial class WarmPool(
    BoxStarter starter, BoxRemover remover, GateAttacher gates, Journal journal, ICgroups cgroups, TemplateCatalog templates, RuntimeCatalog runtimes,
    NodeTelemetry telemetry, TimeProvider clock, ILogger<WarmPool> log) : BackgroundService
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Courtesy = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan MostCourtesy = TimeSpan.FromSeconds(2);
    private readonly Lock _lock = new();
    private readonly Dictionary<WarmKind, List<Box>> _ready = [];
    private readonly SemaphoreSlim _changed = new(0);
    private ImmutableDictionary<WarmKind, int> _targets = ImmutableDictionary<WarmKind, int>.Empty;
    private long _taken;

    /// <summary>How many of each kind to hold ready; replaces what was said before.</summary>
    public void SetTargets(IEnumerable<KeyValuePair<WarmKind, int>> targets)
    {
        _targets = targets.GroupBy(target => target.Key).ToImmutableDictionary(kind => kind.Key, kind => kind.Max(target => target.Value));
        _changed.Release();
    }

    public IReadOnlyDictionary<WarmKind, int> Counts()
    {
        lock (_lock) return _ready.ToDictionary(kind => kind.Key, kind => kind.Value.Count);
    }

    /// <summary>Takes a box of this template, or null when none is ready. It is still frozen.</summary>
    public Box? TryTake(Template template, IContainerRuntime runtime)
    {
        var kind = new WarmKind(template.Name, runtime.Isolation);
        Box? taken = null;
        lock (_lock)
        {
            if (_ready.TryGetValue(kind, out var boxes))
            {
                Prune(boxes, template.Digest, int.MaxValue);
                taken = boxes.LastOrDefault();
                if (taken is not null) boxes.RemoveAt(boxes.Count - 1);
            }
        }

        Volatile.Write(ref _taken, clock.GetTimestamp());
        _changed.Release();
        return taken;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                PruneAll();
                var filled = true;
                foreach (var (kind, target) in _targets) filled &= await TryFillAsync(kind, target, stoppingToken);
                if (filled) await ChangeAsync(stoppingToken);
                else await Task.Delay(Period, clock, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
            }
        }
    }

    // One kind that cannot be made, or whose guests do not answer, keeps the others from nothing.
    private async Task<bool> TryFillAsync(WarmKind kind, int target, CancellationToken stoppingToken)
    {
        try
        {
            await FillAsync(kind, target, stoppingToken);
            return true;
        }
        catch (Exception problem) when (!stoppingToken.IsCancellationRequested)
        {
            LogFillFailed(problem, kind.Template, kind.Isolation);
            return false;
        }
    }

    // Until something was taken or wanted, but not for ever.
    private async Task ChangeAsync(CancellationToken stoppingToken)
    {
        using var period = new CancellationTokenSource(Period, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(period.Token, stoppingToken);
        try
        {
            await _changed.WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (!stoppingToken.IsCancellationRequested)
        {
        }

        while (_changed.Wait(0, CancellationToken.None))
        {
        }
    }

    public override void Dispose()
    {
        base.Dispose();
        _changed.Dispose();
    }

    private async Task FillAsync(WarmKind kind, int target, CancellationToken cancellationToken)
    {
        if (templates.Find(kind.Template) is not { } template || runtimes.Find(kind.Isolation) is not { } runtime) return;
        while (Count(kind) < target && _targets.GetValueOrDefault(kind) >= target)
        {
            if (Count(kind) > 0) await StandBackAsync(cancellationToken);
            using var phase = telemetry.Begin("warm.fill");
            var box = await starter.StartAsync(new BoxOrder(template, runtime, BoxLimits.Default), cancellationToken);
            try
            {
                await gates.PrepareAsync(box, cancellationToken);
                cgroups.Freeze(box.Name);
                box.Change(box.Record with { State = BoxState.Warm });
                await journal.WriteAsync(box.Record);
            }
            catch
            {
                Discard(box);
                throw;
            }

            lock (_lock)
            {
                if (!_ready.TryGetValue(kind, out var boxes)) _ready[kind] = boxes = [];
                boxes.Add(box);
            }
        }
    }

    // What was just taken is about to be worked in: filling now would take the processors from its tenant's first command.
    private async Task StandBackAsync(CancellationToken cancellationToken)
    {
        var began = clock.GetTimestamp();
        while (Courtesy - clock.GetElapsedTime(Volatile.Read(ref _taken)) is { Ticks: > 0 } left && clock.GetElapsedTime(began) < MostCourtesy)
            await Task.Delay(left, clock, cancellationToken);
    }

    private int Count(WarmKind kind)
    {
        lock (_lock) return _ready.TryGetValue(kind, out var boxes) ? boxes.Count : 0;
    }

    private void PruneAll()
    {
        lock (_lock)
        {
            foreach (var (kind, boxes) in _ready) Prune(boxes, templates.Find(kind.Template)?.Digest, _targets.GetValueOrDefault(kind));
        }
    }

    // The dead, those of a template that has changed or gone, and those that nobody wants any more.
    private void Prune(List<Box> boxes, string? digest, int target)
    {
        var kept = 0;
        boxes.RemoveAll(box =>
        {
            if (!box.IsDead && box.Record.Digest == digest && kept++ < target) return false;
            Discard(box);
            return true;
        });
    }

    private void Discard(Box box) => _ = Task.Run(() => remover.DiscardAsync(box));

    [LoggerMessage(Level = LogLevel.Warning, Message = "A warm box of {Template} on {Isolation} could not be made; trying again.")]
    private partial void LogFillFailed(Exception problem, string template, string isolation);
}
