using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Corral.Hosting;

namespace Corral.Cli;

/// <summary>Brings an instance up.</summary>
internal static class UpCommand
{
    private static readonly TimeSpan ReadyPatience = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(50);

    /// <summary>Stays until Ctrl-C, and takes the instance down then.</summary>
    public static async Task<int> ForegroundAsync()
    {
        using var held = InstanceLock.TryTake();
        if (held is null || !await CheckAsync()) return 1;
        using var stop = new CancellationTokenSource();
        using var interrupted = StopOn(PosixSignal.SIGINT, stop);
        using var terminated = StopOn(PosixSignal.SIGTERM, stop);
        var supervising = new Supervisor(TimeProvider.System).RunAsync(stop.Token);
        var failed = !await AwaitReadyAsync(supervising, stop.Token) && !stop.IsCancellationRequested;
        if (failed) await stop.CancelAsync();
        else if (!stop.IsCancellationRequested) Banner("Ctrl-C takes it down");
        await supervising;
        return failed ? 1 : 0;
    }

    /// <summary>Answers when the instance is ready; it goes on by itself.</summary>
    public static async Task<int> DetachedAsync()
    {
        using (var held = InstanceLock.TryTake())
        {
            if (held is null || !await CheckAsync()) return 1;
        }

        // From here on it has the lock.
        using var supervisor = Daemon.Start(InstanceSettings.Log("supervisor"), Environment.ProcessPath!, ["supervise"]);
        if (await AwaitReadyAsync(supervisor.WaitForExitAsync(), CancellationToken.None))
        {
            Banner("./corral down takes it down");
            return 0;
        }

        Daemon.Terminate(supervisor.Id);
        await supervisor.WaitForExitAsync();
        return 1;
    }

    /// <summary>The process that a detached instance leaves behind.</summary>
    public static async Task<int> SuperviseAsync()
    {
        using var held = InstanceLock.TryTake();
        if (held is null) return 1;
        using var stop = new CancellationTokenSource();
        using var terminated = StopOn(PosixSignal.SIGTERM, stop);
        await new Supervisor(TimeProvider.System).RunAsync(stop.Token);
        return 0;
    }

    private static PosixSignalRegistration StopOn(PosixSignal signal, CancellationTokenSource stop) => PosixSignalRegistration.Create(signal, context =>
    {
        context.Cancel = true;
        stop.Cancel();
    });

    private static async Task<bool> CheckAsync()
    {
        if (InstanceState.Read() is { } there)
        {
            if (there.Supervisor.IsAlive)
            {
                Words.Say(InstanceLock.IsUp(there));
                return false;
            }

            Console.Error.WriteLine($"What an earlier instance left in {CorralPaths.Home} is taken down first.");
            await DownCommand.TakeApartAsync(there);
        }

        return IsFree("CORRAL_LISTEN", InstanceSettings.JsonAddress) && IsFree("CORRAL_GRPC_LISTEN", InstanceSettings.GrpcAddress);
    }

    private static bool IsFree(string variable, string address)
    {
        if (!IPEndPoint.TryParse(address, out var endpoint))
        {
            Console.Error.WriteLine($"{variable}: '{address}' is not an address and a port.");
            return false;
        }

        try
        {
            using var listener = new TcpListener(endpoint);
            listener.Start();
            return true;
        }
        catch (SocketException problem)
        {
            Console.Error.WriteLine($"{variable}: {address} cannot be listened on: {problem.Message}.");
            return false;
        }
    }

    // Says each service's name as it becomes ready; when one does not, says the end of its log.
    private static async Task<bool> AwaitReadyAsync(Task over, CancellationToken stop)
    {
        using var probes = new Probes();
        var began = Stopwatch.StartNew();
        var waited = ServicePlan.All().Select(plan => plan.Name).ToList();
        while (waited.Count > 0)
        {
            foreach (var name in waited.ToList())
            {
                if (!await probes.IsReadyAsync(name)) continue;
                waited.Remove(name);
                Console.WriteLine($"  {name} is ready ({began.Elapsed.TotalSeconds:0.0} s)");
            }

            if (stop.IsCancellationRequested) return false;
            if (over.IsCompleted || began.Elapsed > ReadyPatience)
            {
                foreach (var name in waited.Prepend("supervisor")) PrintLog(name);
                Console.Error.WriteLine($"Not ready: {string.Join(", ", waited)}.");
                return false;
            }

            await Task.Delay(Poll, TimeProvider.System, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return true;
    }

    private static void PrintLog(string name)
    {
        var log = InstanceSettings.Log(name);
        if (!File.Exists(log)) return;
        Console.Error.WriteLine($"--- {log}");
        foreach (var line in File.ReadLines(log).TakeLast(10)) Console.Error.WriteLine(line);
    }

    private static void Banner(string end)
    {
        var key = File.ReadAllText(CorralPaths.BootstrapKey).Trim();
        Console.WriteLine($$"""

            Corral is up: {{end}}.
              JSON    http://{{InstanceSettings.JsonAddress}}
              gRPC    http://{{InstanceSettings.GrpcAddress}}
              key     {{key}}

            The first sandbox:
              curl -s http://{{InstanceSettings.JsonAddress}}/v1/sandboxes/launch -H "Authorization: Bearer {{key}}" -d '{"runtime":"python"}'

            """);
    }
}
