using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;

namespace Corral.Bench;

/// <summary>A process of the bench, with what it and its children cost.</summary>
internal sealed class RunningProcess : IAsyncDisposable
{
    private const double TicksPerSecond = 100;

    private readonly Process _process;
    private readonly string _log;

    private RunningProcess(Process process, string log) => (_process, _log) = (process, log);

    public static RunningProcess Start(string folder, string program, IReadOnlyDictionary<string, string>? environment, params string[] arguments)
    {
        var log = Path.Combine(folder, $"{Path.GetFileName(program)}-{Guid.NewGuid():n}.log");
        var start = new ProcessStartInfo("/bin/sh", ["-c", "exec \"$0\" \"$@\" > \"$BENCH_LOG\" 2>&1", program, .. arguments]) { RedirectStandardInput = true };
        start.Environment["BENCH_LOG"] = log;
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        return new RunningProcess(Process.Start(start)!, log);
    }

    /// <summary>Waits until somebody listens there.</summary>
    public async Task AnswersAsync(Func<Task> connect)
    {
        var patience = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                await connect();
                return;
            }
            catch (SocketException) when (patience.Elapsed < TimeSpan.FromSeconds(60) && !_process.HasExited)
            {
                await Task.Delay(100);
            }
            catch (SocketException)
            {
                throw new InvalidOperationException($"It does not answer: {await File.ReadAllTextAsync(_log)}");
            }
        }
    }

    /// <summary>The time of the processors that it has used, with its children.</summary>
    public TimeSpan Cpu()
    {
        var ticks = 0L;
        foreach (var pid in Family())
        {
            // "pid (name) state ppid …": the name may hold anything, and utime and stime are fields 14 and 15.
            var fields = Read($"/proc/{pid}/stat") is { Length: > 0 } stat ? stat[(stat.LastIndexOf(')') + 2)..].Split(' ') : [];
            ticks += fields.Length > 12 ? long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture) : 0;
        }

        return TimeSpan.FromSeconds(ticks / TicksPerSecond);
    }

    /// <summary>Its share of memory, with its children.</summary>
    public long Memory() => Family().Sum(pid => Read($"/proc/{pid}/smaps_rollup").Split('\n')
        .Where(line => line.StartsWith("Pss:", StringComparison.Ordinal))
        .Sum(line => long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024));

    public async ValueTask DisposeAsync()
    {
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private List<int> Family()
    {
        var parents = new Dictionary<int, int>();
        foreach (var folder in Directory.EnumerateDirectories("/proc").Select(Path.GetFileName).Where(name => name!.All(char.IsAsciiDigit)))
        {
            if (Read($"/proc/{folder}/stat") is { Length: > 0 } stat)
            {
                parents[int.Parse(folder!, CultureInfo.InvariantCulture)] = int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], CultureInfo.InvariantCulture);
            }
        }

        var family = new List<int> { _process.Id };
        for (var i = 0; i < family.Count; i++)
        {
            family.AddRange(parents.Where(pair => pair.Value == family[i]).Select(pair => pair.Key));
        }

        return family;
    }

    // It may be gone meanwhile.
    private static string Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
