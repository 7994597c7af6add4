using System.Globalization;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Corral.Tests.Instance;

namespace Corral.Bench.Api;

/// <summary>Authenticated GETs through the gateway, beside a bare Kestrel that answers the same bytes, in one run.</summary>
internal static class ApiBench
{
    private const int Connections = 32;
    private const int WarmUpSeconds = 5;

    // Rounds of one after the other: a noisy moment is then everybody's.
    private const int Rounds = 3;

    public static async Task RunAsync(int seconds)
    {
        var folder = Directory.CreateTempSubdirectory("corral-bench-api-").FullName;
        await using var instance = await Instance.StartAsync("bench-api");
        try
        {
            var id = await instance.Boxes.ReadyAsync(new() { ["runtime"] = "base" });
            string[] paths = ["/v1/sandboxes?id=" + id, "/v1/sandboxes", "/v1/billing", "/v1/usage", "/v1/api-keys", "/v1/sandboxes/runtime?id=" + id];
            var (file, port) = (Path.Combine(folder, "answers.json"), Instance.FreePort());
            await File.WriteAllTextAsync(file, (await AnswersAsync(instance, paths)).ToJsonString());
            // In a file, because everybody may read what a program is started with.
            var script = Path.Combine(folder, "key.lua");
            await File.WriteAllTextAsync(script, $"wrk.headers['Authorization'] = 'Bearer {instance.Key}'\n");
            await using var bare = RunningProcess.Start(folder, Environment.ProcessPath!, null, "api-bare", Text(port), file);
            await bare.AnswersAsync(async () =>
            {
                using var probe = new TcpClient();
                await probe.ConnectAsync("127.0.0.1", port);
            });

            Console.WriteLine($"GETs with an API key, {Connections} connections (wrk), medians of {Rounds} rounds of {seconds} s; bare Kestrel answers the same bytes without asking anybody.\n");
            Console.WriteLine("| GET | bytes | gateway req/s | p50 / p99 ms | bare Kestrel req/s | p50 / p99 ms | gateway / bare |");
            Console.WriteLine("|---|---|---|---|---|---|---|");
            for (var i = 0; i < paths.Length; i++)
            {
                await CompareAsync(instance, paths[i], $"http://127.0.0.1:{Text(port)}/{Text(i)}", script, seconds);
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task CompareAsync(Instance instance, string path, string same, string script, int seconds)
    {
        Task<Wrk> ThroughGatewayAsync(int duration) => LoadAsync(new Uri(instance.Endpoint, path).ToString(), duration, script);
        Task<Wrk> BareAsync(int duration) => LoadAsync(same, duration, script);
        await ThroughGatewayAsync(WarmUpSeconds);
        await BareAsync(WarmUpSeconds);
        var (gateway, bare) = (new List<Wrk>(), new List<Wrk>());
        for (var round = 0; round < Rounds; round++)
        {
            gateway.Add(await ThroughGatewayAsync(seconds));
            bare.Add(await BareAsync(seconds));
        }

        var (ours, theirs) = (Median(gateway), Median(bare));
        var bytes = (await instance.Boxes.GetAsync(path)).Text.Length;
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {path.Split('=')[0]} | {bytes} | {ours.Rate:N0} | {ours.P50 / 1000:0.0} / {ours.P99 / 1000:0.0} | {theirs.Rate:N0} | {theirs.P50 / 1000:0.0} / {theirs.P99 / 1000:0.0} | {ours.Rate / theirs.Rate:0.00} |"));
    }

    private static async Task<Wrk> LoadAsync(string address, int seconds, string script) => Wrk.Read(
        await Command.RunAsync("wrk", ["-t", "1", "-c", Text(Connections), "-d", Text(seconds), "--latency", "--timeout", "10s", "-s", script, address]));

    private static async Task<JsonObject> AnswersAsync(Instance instance, string[] paths)
    {
        var answers = new JsonObject();
        foreach (var path in paths)
        {
            using var answer = await instance.Boxes.Http.GetAsync(path);
            answers["/" + Text(answers.Count)] = new JsonArray(answer.EnsureSuccessStatusCode().Content.Headers.ContentType!.ToString(), await answer.Content.ReadAsStringAsync());
        }

        return answers;
    }

    private static Wrk Median(List<Wrk> runs) => runs.OrderBy(run => run.Rate).ElementAt(runs.Count / 2);

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
