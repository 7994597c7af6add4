using System.Diagnostics;

namespace Corral.Cli;

/// <summary>One process of the instance, started again whenever it ends by itself.</summary>
internal sealed class ServiceProcess(ServicePlan plan, TimeProvider clock, Action changed)
{
    private const long MaxLogBytes = 64 << 20;
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Settled = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(25);

    public string Name => plan.Name;

    /// <summary>The process as it is now; number 0 between two lives.</summary>
    public RunningProcess Running { get; private set; } = new(plan.Name, 0, 0);

    /// <summary>Keeps the process alive until it is to stop, and answers when it has.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        var pause = FirstPause;
        while (!stop.IsCancellationRequested)
        {
            var began = clock.GetTimestamp();
            using (var process = Daemon.Start(InstanceSettings.Log(Name), plan.Program, plan.Arguments, plan.Variables))
            {
                Tell(RunningProcess.Of(Name, process.Id));
                await process.WaitForExitAsync(stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                if (stop.IsCancellationRequested) await StopAsync(process);
                else Words.Say($"{Name} ended with {process.ExitCode}; starting it again");
            }

            Tell(new RunningProcess(Name, 0, 0));
            if (stop.IsCancellationRequested) return;
            pause = clock.GetElapsedTime(began) > Settled ? FirstPause : TimeSpan.FromTicks(Math.Min(pause.Ticks * 2, LongestPause.Ticks));
            await Task.Delay(pause, clock, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Keeps the end of a log that has grown too long. What is written meanwhile may be lost: a service never waits for its log.</summary>
    public void TrimLog()
    {
        var log = new FileInfo(InstanceSettings.Log(Name));
        if (!log.Exists || log.Length < MaxLogBytes) return;
        var kept = log.FullName + ".1";
        try
        {
            try
            {
                log.CopyTo(kept, overwrite: true);
            }
            catch (IOException)
            {
                // Where there is no room for two, there is none for the older one.
                File.Delete(kept);
            }

            using var file = log.Open(FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
            file.SetLength(0);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            Words.Say($"The log of {Name} could not be shortened: {problem.Message}");
        }
    }

    private async Task StopAsync(Process process)
    {
        if (process.HasExited) return;
        Daemon.Terminate(process.Id);
        using var patience = new CancellationTokenSource(StopPatience, clock);
        await process.WaitForExitAsync(patience.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!process.HasExited) process.Kill();
        await process.WaitForExitAsync(CancellationToken.None);
    }

    private void Tell(RunningProcess now)
    {
        Running = now;
        changed();
    }
}
