using Corral.Egress.Gates;

namespace Corral.Egress.Audit;

/// <summary>Deletes the audit of sandboxes that are gone when it is too old, or too much in all.</summary>
internal sealed partial class AuditSweeper(AuditPlace place, AuditLog audit, GateTable gates, EgressOptions options, TimeProvider clock, ILogger<AuditSweeper> log) : BackgroundService
{
    private static readonly TimeSpan Period = TimeSpan.FromMinutes(10);

    /// <summary>Sweeps once.</summary>
    public async Task SweepAsync(CancellationToken cancellationToken)
    {
        // What is under way still belongs to the trails as they are.
        await audit.FlushAsync(cancellationToken);
        audit.Forget(id => gates.Find(id) is null);
        var oldest = clock.GetUtcNow() - options.AuditTime;
        var kept = 0L;
        foreach (var file in new DirectoryInfo(place.Directory).EnumerateFiles().OrderByDescending(file => file.LastWriteTimeUtc))
        {
            kept += file.Length;
            if (kept <= options.AuditTotalBytes && file.LastWriteTimeUtc >= oldest.UtcDateTime) continue;
            if (gates.Find(file.Name[..file.Name.IndexOf('.', StringComparison.Ordinal)]) is null) file.Delete();
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Period, clock);
        do
        {
            try
            {
                await SweepAsync(stoppingToken);
            }
            catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
            {
                LogFailed(problem);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Old audit could not be deleted; it is tried again.")]
    private partial void LogFailed(Exception problem);
}
