using Corral.Hosting;

namespace Corral.Cli;

/// <summary>Takes an instance down: its sandboxes end, its processes stop, and what it had on the host is gone. Its state stays in its home.</summary>
internal static class DownCommand
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan SupervisorPatience = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan ServicePatience = TimeSpan.FromSeconds(25);

    public static async Task<int> RunAsync()
    {
        if (InstanceState.Read() is not { } instance)
        {
            Console.WriteLine($"No instance is up in {CorralPaths.Home}.");
            return 0;
        }

        if (instance.Supervisor.IsAlive)
        {
            Daemon.Terminate(instance.Supervisor.Pid);
            if (!await EndedAsync(instance.Supervisor, SupervisorPatience)) Kill(instance.Supervisor);
            // What it could not take down, it left written down.
            if (InstanceState.Read() is null) return 0;
        }

        // The supervisor is gone before its services: what it would have done is done here. Read again: it may have started others meanwhile.
        using var held = InstanceLock.TryTake();
        if (held is null) return 1;
        await TakeApartAsync(InstanceState.Read() ?? instance);
        return 0;
    }

    /// <summary>Takes apart what nobody supervises any more. The caller has the instance's lock.</summary>
    public static async Task TakeApartAsync(InstanceState instance)
    {
        foreach (var service in instance.Services.Reverse().Where(service => service.IsAlive))
        {
            Daemon.Terminate(service.Pid);
            if (!await EndedAsync(service, ServicePatience)) Kill(service);
        }

        await Supervisor.PurgeAsync();
        InstanceState.Delete();
    }

    private static async Task<bool> EndedAsync(RunningProcess process, TimeSpan patience)
    {
        using var over = new CancellationTokenSource(patience);
        while (process.IsAlive)
        {
            if (over.IsCancellationRequested) return false;
            await Task.Delay(Poll, TimeProvider.System, CancellationToken.None);
        }

        return true;
    }

    private static void Kill(RunningProcess process)
    {
        if (!process.IsAlive) return;
        using var found = System.Diagnostics.Process.GetProcessById(process.Pid);
        found.Kill();
    }
}
