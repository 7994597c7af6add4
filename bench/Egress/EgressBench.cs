using System.Globalization;

namespace Corral.Bench.Egress;

/// <summary>Headers injected into TLS, and tunnels, by the egress service and by proxies of Debian, in one run.</summary>
internal static class EgressBench
{
    private const int Connections = 32;
    private const int Http2Connections = 8;
    private const int Http2Streams = 16;
    private const int Idle = 1000;
    private const int Sandboxes = 1000;

    /// <param name="seconds">How long each measurement takes.</param>
    /// <param name="only">The proxies to measure, separated by commas, or null for all.</param>
    public static async Task RunAsync(int seconds, string? only)
    {
        var folder = Directory.CreateTempSubdirectory("corral-bench-egress-").FullName;
        try
        {
            await using var network = await BenchNetwork.CreateAsync(folder);
            var pki = new BenchPki(folder);
            using var names = new BenchNames();
            await using var origin = await OriginServer.StartAsync(folder, pki);
            await using var egress = await CorralEgress.StartAsync(folder, pki, names.Address);
            List<Way> all =
            [
                new("no proxy", network.Client, "https://api.bench.test/", "https://opaque.bench.test/", OriginServer.BytesPort, null),
                await egress.AttachAsync(network),
                await Peers.HaproxyAsync(network, folder, pki),
                await Peers.NginxAsync(network, folder, pki),
                await Peers.MitmproxyAsync(network, folder, pki),
            ];
            var ways = all.Where(way => only is null || way.Process is null || only.Split(',').Contains(way.Name)).ToList();
            try
            {
                await InjectionAsync(ways, seconds);
                await TunnelsAsync(ways, seconds);
                await SandboxesAsync(egress, network);
            }
            finally
            {
                foreach (var way in all.Skip(2))
                {
                    await way.Process!.DisposeAsync();
                }
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task InjectionAsync(List<Way> ways, int seconds)
    {
        Write("A header injected into TLS, 129-byte answers: HTTP/1.1 over 32 connections (wrk), HTTP/2 over 8 × 16 streams (h2load), a new connection");
        Write("for each request, and one connection alone. CPU is the proxy's own, in µs for one request; memory is what one idle connection adds.\n");
        Write("| | h1 req/s | CPU | h2 req/s | CPU | new conn/s | CPU | p50 / p99 µs, one connection | added p50 | idle KiB |");
        Write("|---|---|---|---|---|---|---|---|---|---|");
        var direct = double.NaN;
        foreach (var way in ways)
        {
            await CheckAsync(way);
            // For the caches, the pools, and most of all for the just-in-time compiler.
            await Load.Http1Async(way, way.Web, way.WarmUp, Connections);
            await Load.Http2Async(way, way.Web, way.WarmUp, Http2Connections, Http2Streams);
            var http1 = await Load.Http1Async(way, way.Web, seconds, Connections);
            var http2 = await Load.Http2Async(way, way.Web, seconds, Http2Connections, Http2Streams);
            var renewed = await Load.Http1Async(way, way.Web, seconds, Connections, keep: false);
            var alone = await Load.Http1Async(way, way.Web, seconds, connections: 1);
            var idle = await IdleConnections.CostAsync(way, way.Web, Idle);
            direct = double.IsNaN(direct) ? alone.P50 : direct;
            Write(string.Create(
                CultureInfo.InvariantCulture,
                $"| {way.Name} | {http1.Rate:N0} | {Number(http1.Cpu)} | {Number(http2?.Rate)} | {Number(http2?.Cpu)} | {renewed.Rate:N0} | {Number(renewed.Cpu)} | {alone.P50:N0} / {alone.P99:N0} | {alone.P50 - direct:N0} | {Number(idle / 1024)} |"));
        }
    }

    private static async Task TunnelsAsync(List<Way> ways, int seconds)
    {
        Write("\nAn opaque tunnel: bytes by iperf3 (CPU in seconds of the proxy for a GB), and new TLS connections, told by their server name, with one request each.\n");
        Write("| | 1 stream down, GB/s | 4 down, GB/s | CPU-s/GB | 4 up, GB/s | CPU-s/GB | new conn/s | CPU µs | idle KiB |");
        Write("|---|---|---|---|---|---|---|---|---|");
        foreach (var way in ways.Where(way => way.BytesPort is not null))
        {
            var one = await Load.BytesAsync(way, seconds, streams: 1, down: true);
            var down = await Load.BytesAsync(way, seconds, streams: 4, down: true);
            var up = await Load.BytesAsync(way, seconds, streams: 4, down: false);
            await Load.Http1Async(way, way.Opaque!, seconds, Connections, keep: false);
            var renewed = await Load.Http1Async(way, way.Opaque!, seconds, Connections, keep: false);
            var idle = await IdleConnections.CostAsync(way, way.Opaque!, Idle);
            Write(string.Create(
                CultureInfo.InvariantCulture,
                $"| {way.Name} | {one.Rate / 1e9:0.00} | {down.Rate / 1e9:0.00} | {down.Cpu:0.00} | {up.Rate / 1e9:0.00} | {up.Cpu:0.00} | {renewed.Rate:N0} | {Number(renewed.Cpu)} | {Number(idle / 1024)} |"));
        }
    }

    private static async Task SandboxesAsync(CorralEgress egress, BenchNetwork network)
    {
        var before = egress.Process.Memory();
        await egress.AttachIdleAsync(network, Sandboxes);
        var after = egress.Process.Memory();
        Write(string.Create(
            CultureInfo.InvariantCulture,
            $"\n{Sandboxes:N0} more sandboxes, each with 50 domains, 10 ranges and 20 transforms, add {(after - before) / 1e6:0} MB to {before / 1e6:0} MB: {(after - before) / 1024.0 / Sandboxes:0} KiB for each."));
    }

    private static async Task CheckAsync(Way way)
    {
        var answer = await Load.OnceAsync(way, way.Web);
        if (way.Process is not null && !answer.StartsWith(OriginServer.Expected, StringComparison.Ordinal))
        {
            throw new InvalidOperationException($"{way.Name} does not inject: {answer}");
        }
    }

    private static string Number(double? value) => value is null or double.NaN ? "-" : value.Value.ToString("N0", CultureInfo.InvariantCulture);

    private static void Write(string line) => Console.WriteLine(line);
}
