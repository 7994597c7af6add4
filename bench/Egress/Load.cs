using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Corral.Bench.Egress;

/// <summary>Load by the tools that everybody uses, from inside a namespace.</summary>
internal static partial class Load
{
    /// <summary>What a run of requests gave.</summary>
    /// <param name="Rate">Requests a second.</param>
    /// <param name="Cpu">Microseconds of the proxy's processors for one; NaN where there is no proxy.</param>
    /// <param name="P50">The median of their times, in microseconds; NaN where the tool does not say.</param>
    /// <param name="P99">The 99th percentile.</param>
    internal sealed record Requests(double Rate, double Cpu, double P50, double P99);

    /// <summary>HTTP/1.1, connections kept, or a new one for each request.</summary>
    public static Task<Requests> Http1Async(Way way, string address, int seconds, int connections, bool keep = true) => CostAsync(way, async () =>
    {
        var output = await InAsync(
            way, "wrk", "-t", connections > 1 ? "2" : "1", "-c", Text(connections), "-d", Text(seconds), "--latency", "--timeout", "10s",
            "-H", keep ? "Connection: keep-alive" : "Connection: close", address);
        var load = Wrk.Read(output);
        return (load.Total, load.Rate, load.P50, load.P99);
    });

    /// <summary>HTTP/2; null when it is not spoken there.</summary>
    public static async Task<Requests?> Http2Async(Way way, string address, int seconds, int connections, int streams)
    {
        var spoken = true;
        var requests = await CostAsync(way, async () =>
        {
            var output = await InAsync(way, "h2load", "-t", "2", "-c", Text(connections), "-m", Text(streams), "-D", Text(seconds), address);
            spoken = output.Contains("Application protocol: h2", StringComparison.Ordinal);
            var done = H2Done().Match(output);
            if (!done.Success || done.Groups[2].Value != "0")
            {
                throw new InvalidOperationException($"{way.Name} refuses requests:\n{output}");
            }

            var total = double.Parse(done.Groups[1].Value, CultureInfo.InvariantCulture);
            return (total, total / seconds, double.NaN, double.NaN);
        });
        return spoken ? requests : null;
    }

    /// <summary>Plain bytes through a tunnel, in bytes a second, and seconds of the proxy's processors for a gigabyte.</summary>
    public static async Task<(double Rate, double Cpu)> BytesAsync(Way way, int seconds, int streams, bool down)
    {
        var before = way.Process?.Cpu() ?? default;
        string[] arguments = ["iperf3", "-c", "tunnel.bench.test", "-p", Text(way.BytesPort!.Value), "-t", Text(seconds), "-P", Text(streams), "-J", .. down ? new[] { "-R" } : []];
        using var report = JsonDocument.Parse(await InAsync(way, arguments));
        var received = report.RootElement.GetProperty("end").GetProperty("sum_received");
        var bytes = received.GetProperty("bytes").GetDouble();
        return (received.GetProperty("bits_per_second").GetDouble() / 8, way.Process is { } process ? (process.Cpu() - before).TotalSeconds / (bytes / 1e9) : double.NaN);
    }

    /// <summary>One request by curl: its answer.</summary>
    public static Task<string> OnceAsync(Way way, string address) => InAsync(way, "curl", "-sSk", "--max-time", "20", address);

    public static Task<string> InAsync(Way way, params string[] command) => Command.RunAsync("ip", ["netns", "exec", way.Namespace, .. command]);

    private static async Task<Requests> CostAsync(Way way, Func<Task<(double Total, double Rate, double P50, double P99)>> run)
    {
        var before = way.Process?.Cpu() ?? default;
        var (total, rate, p50, p99) = await run();
        return new Requests(rate, way.Process is { } process ? (process.Cpu() - before).TotalMicroseconds / total : double.NaN, p50, p99);
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    [GeneratedRegex(@"(\d+) succeeded, (\d+) failed")]
    private static partial Regex H2Done();
}
