using System.Diagnostics;
using Corral.Hosting;

namespace Corral.Cli;

/// <summary>Starts the processes of an instance, keeps them alive, and stops them so that nothing is left on the host but their state.</summary>
internal sealed class Supervisor(TimeProvider clock)
{
    private static readonly TimeSpan ChorePeriod = TimeSpan.FromMinutes(1);
    private readonly Lock _lock = new();
    private readonly RunningProcess _self = RunningProcess.Of("supervisor", Environment.ProcessId);
    private ServiceProcess[] _services = [];
    private bool _unwritten;

    /// <summary>Runs the instance until it is to stop.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        _services = [.. ServicePlan.All().Select(plan => new ServiceProcess(plan, clock, WriteState))];
        WriteState();
        var running = _services.ToDictionary(service => service.Name, service =>
        {
            var own = new CancellationTokenSource();
            return (Stop: own, Task: service.RunAsync(own.Token));
        });
        await DoChoresAsync(stop);

        // The edge first, so that nobody is promised anything more; the state store last, so that everybody can write down what became of it.
        await StopAsync(name => name == "gateway");
        await StopAsync(name => name != "redis");
        await PurgeAsync();
        await StopAsync(_ => true);
        InstanceState.Delete();

        async Task StopAsync(Func<string, bool> which)
        {
            var chosen = running.Where(service => which(service.Key)).Select(service => service.Value).ToList();
            foreach (var service in chosen) await service.Stop.CancelAsync();
            await Task.WhenAll(chosen.Select(service => service.Task));
        }
    }

    /// <summary>Takes every sandbox, mount, namespace and cgroup of the node off this host. No node-agent may be running.</summary>
    public static async Task PurgeAsync()
    {
        using var purge = Process.Start(new ProcessStartInfo(ServicePlan.ProgramOf("Corral.NodeAgent"), ["purge"]) { WorkingDirectory = "/" })!;
        await purge.WaitForExitAsync();
        if (purge.ExitCode != 0) throw new InvalidOperationException($"The node could not be purged: see {InstanceSettings.Log("node-agent")}.");
    }

    private async Task DoChoresAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            foreach (var service in _services) service.TrimLog();
            if (_unwritten) WriteState();
            await Task.Delay(ChorePeriod, clock, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void WriteState()
    {
        lock (_lock)
        {
            var state = new InstanceState(
                $"http://{InstanceSettings.JsonAddress}", $"http://{InstanceSettings.GrpcAddress}", _self, [.. _services.Select(service => service.Running)]);
            try
            {
                state.Write();
                _unwritten = false;
            }
            catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
            {
                // A full disk, most likely. Services without anybody who starts them again would be worse than a state that is told late.
                _unwritten = true;
                Words.Say($"The instance's state could not be written: {problem.Message}");
            }
        }
    }
}
