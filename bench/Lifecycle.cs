using System.Diagnostics;
using Corral.Tests.Instance;

namespace Corral.Bench;

/// <summary>Create, run <c>true</c>, end: through both faces, on both runtimes, warm and cold, one by one and 8 at once; with docker and runc in the same run.</summary>
internal static class Lifecycle
{
    // Uncounted lives on a new instance: for its caches, its connections, and most of all its just-in-time compiler.
    private const int WarmUp = 40;

    /// <param name="count">How many lives of each kind.</param>
    /// <param name="only">Kinds to measure, such as <c>warm</c> or <c>runsc</c>; null for all, and the peers.</param>
    public static async Task RunAsync(int count, string? only)
    {
        var rows = new List<Samples>();
        var phases = new List<string>();
        await using var collector = await SpanCollector.StartAsync();
        var docker = double.NaN;
        if (only is null)
        {
            await using var root = await TemplateRoot.MountAsync();
            docker = await PeersAsync(root, rows, count);
        }

        foreach (var kind in Kinds(only, "warm", "cold"))
        {
            await CorralAsync(kind, Kinds(only, "runc", "runsc"), collector, rows, phases, count);
        }

        Print(rows, docker, phases);
    }

    private static List<string> Kinds(string? only, params string[] all) =>
        all.Where(kind => only is null || !all.Any(only.Contains) || only.Contains(kind, StringComparison.Ordinal)).ToList();

    private static async Task<double> PeersAsync(TemplateRoot root, List<Samples> rows, int count)
    {
        rows.Add(await MeasureAsync("bash -c true, on the host itself", 1, count * 5, () => Command.RunAsync("bash", "-c", "true")));
        var runc = await RuncPeer.PrepareAsync(root);
        rows.Add(await MeasureAsync("runc run --rm true", 1, count, runc.RunTrueAsync));
        await using var daemon = await DockerPeer.StartAsync(root);
        var docker = await MeasureAsync("docker run --rm true", 1, count, daemon.RunTrueAsync);
        rows.Add(docker);
        rows.Add(await MeasureAsync("docker run --rm true, 8 at once", 8, count, daemon.RunTrueAsync));
        return docker.Median;
    }

    private static async Task CorralAsync(string kind, List<string> isolations, SpanCollector collector, List<Samples> rows, List<string> phases, int count)
    {
        var warm = kind == "warm" ? 4 : 0;
        var settings = new Dictionary<string, string>(collector.Settings)
        {
            ["CORRAL_CONFIG_Scheduler__WarmTargets__Base"] = warm.ToString(System.Globalization.CultureInfo.InvariantCulture),
            ["CORRAL_CONFIG_Scheduler__WarmTargets__MaxPerKind"] = (warm * 2).ToString(System.Globalization.CultureInfo.InvariantCulture),
        };
        await using var instance = await Instance.StartAsync("bench-" + kind, settings);
        var (json, native) = (new JsonDriver(instance), new NativeDriver(instance));
        foreach (var isolation in isolations)
        {
            await LivesAsync("", json, isolation, [], WarmUp, atOnce: 2, settle: false);
            if (warm > 0)
            {
                rows.Add(await InsideFloor.MeasureAsync(instance, isolation, count * 5));
            }

            await collector.ForgetAsync();
            await LivesAsync($"{kind} {isolation}, JSON", json, isolation, rows, count, atOnce: 1, settle: warm > 0);
            phases.AddRange([$"{kind} {isolation}, through JSON:", "", .. await collector.TableAsync(), "", "One create of them:", "", .. collector.OneCreate(), ""]);
            await LivesAsync($"{kind} {isolation}, gRPC", native, isolation, rows, count, atOnce: 1, settle: warm > 0);
            await LivesAsync($"{kind} {isolation}, JSON, 8 at once", json, isolation, rows, count, atOnce: 8, settle: warm > 0);
        }
    }

    private static async Task LivesAsync(string name, ISandboxDriver driver, string isolation, List<Samples> rows, int count, int atOnce, bool settle)
    {
        var (first, exec, end) = (new Samples($"{name}: create → first exec"), new Samples($"{name}: exec"), new Samples($"{name}: end"));
        await ParallelAsync(atOnce, count + atOnce, async i =>
        {
            // The pool refills between lives, as it does between the creates of a real day.
            await Task.Delay(settle && atOnce == 1 ? TimeSpan.FromMilliseconds(700) : TimeSpan.Zero);
            var counted = i >= atOnce;
            var clock = Stopwatch.StartNew();
            var id = await driver.LaunchAsync(isolation);
            await driver.ExecAsync(id);
            Keep(first, clock.Elapsed, counted);
            for (var repeat = 0; repeat < 5; repeat++)
            {
                clock.Restart();
                await driver.ExecAsync(id);
                Keep(exec, clock.Elapsed, counted);
            }

            clock.Restart();
            await driver.EndAsync(id);
            Keep(end, clock.Elapsed, counted);
        });
        if (name.Length == 0)
        {
            return;
        }

        rows.AddRange([first, exec, end]);
        Console.Error.WriteLine($"{name}: {first.Median:0.0} ms");
    }

    private static async Task<Samples> MeasureAsync(string name, int atOnce, int count, Func<Task> life)
    {
        var samples = new Samples(name);
        await ParallelAsync(atOnce, count + atOnce, async i =>
        {
            var clock = Stopwatch.StartNew();
            await life();
            Keep(samples, clock.Elapsed, i >= atOnce);
        });
        Console.Error.WriteLine($"{name}: {samples.Median:0.0} ms");
        return samples;
    }

    // The first of each worker warms caches and connections, and is not counted.
    private static void Keep(Samples samples, TimeSpan elapsed, bool counted)
    {
        if (counted)
        {
            samples.Add(elapsed);
        }
    }

    private static async Task ParallelAsync(int atOnce, int count, Func<int, Task> body)
    {
        var next = -1;
        await Task.WhenAll(Enumerable.Range(0, atOnce).Select(async _ =>
        {
            for (var i = Interlocked.Increment(ref next); i < count; i = Interlocked.Increment(ref next))
            {
                await body(i);
            }
        }));
    }

    private static void Print(List<Samples> rows, double yardstick, List<string> phases)
    {
        Console.WriteLine("| what | n | p50 ms | p95 ms | p99 ms | docker run p50 / this |");
        Console.WriteLine("|---|---|---|---|---|---|");
        foreach (var row in rows)
        {
            Console.WriteLine(row.Row(yardstick));
        }

        Console.WriteLine("\nWhere the milliseconds go, from the traces: each span with all that is below it.\n");
        phases.ForEach(Console.WriteLine);
    }
}
