using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Corral.Tests.Instance;
using Xunit;

namespace Corral.EndToEnd.Tests;

/// <summary>Requests that nobody means, on every route, through every service: each is answered, and none is the server's fault.</summary>
public sealed class FuzzTests(SharedInstance shared)
{
    // CORRAL_FUZZ=100000 for as many as one has the patience for.
    private static readonly int Requests = int.Parse(Environment.GetEnvironmentVariable("CORRAL_FUZZ") ?? "15000", System.Globalization.CultureInfo.InvariantCulture);
    private const int AtOnce = 16;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static readonly string[] Scraps =
    [
        "", " ", "0", "-1", "1", "true", "1e999", "9223372036854775807", "9223372036854775808", "..", "/", "/workspace", "/workspace/x", "/proc/self/mem", "/dev/full", "/etc/shadow", "\0", "%00",
        "a\nb", "😀", "\ud83d", "\u2028", "sbx-", "sbx-abcdefghijklmnopqrstuvwxyz", "*", "**/*", "[", "(a+)+$", "\\", "'", "\"", "base", "bun", "standard", "runc", "runsc", "deny-all", "custom", "utf8", "base64",
        "0644", "7777", "ready", "id", "asc", "http://127.0.0.1/", "https://[::1]/", "https://example.invalid/", "2026-13", "2026-11", "${secret:A}", "sandbox.ready", "org:billing", "bash", "python",
    ];

    [Fact]
    public async Task RequestsThatNobodyMeans_OverEveryRoute_AreNever500()
    {
        using var ours = await shared.OrganizationAsync("free");
        var sandbox = await ours.ReadyAsync(new() { ["runtime"] = "base" });
        var operations = await ApiOperation.AllAsync(shared.Boxes);
        var (answers, faults) = (new ConcurrentDictionary<(string, HttpStatusCode), int>(), new ConcurrentQueue<string>());

        await Parallel.ForAsync(0, Requests, new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (number, _) =>
        {
            var random = new Random(number);
            var operation = operations[number % operations.Count];
            var request = Make(random, operation, sandbox);
            var told = $"{number}: {request.Method} {request.RequestUri} {(request.Content is null ? "" : await request.Content.ReadAsStringAsync(CancellationToken.None))}";
            try
            {
                var status = await AskAsync(operation.IsOperators ? shared.Boxes : ours, request);
                answers.AddOrUpdate((operation.ToString(), status), 1, (_, count) => count + 1);
                if ((int)status is >= 500 or < 200)
                {
                    faults.Enqueue($"{(int)status} to {told}");
                }
            }
            catch (Exception problem) when (problem is HttpRequestException or OperationCanceledException)
            {
                faults.Enqueue($"{problem.Message} {problem.InnerException?.Message} to {told}");
            }
        });

        Assert.True(faults.IsEmpty, string.Join("\n", faults.Take(20)));
        // Requests that are all refused at the first look would show nothing.
        Assert.InRange(answers.Keys.Where(answer => (int)answer.Item2 is >= 200 and < 300).Select(answer => answer.Item1).Distinct().Count(), operations.Count / 3, operations.Count);
        var here = await HereAsync(ours, sandbox);
        Assert.Equal("still here\n", (string)(await ours.ExecAsync(here, "echo still here"))["stdout"]!);
        await ours.EndAsync(here);
    }

    // Luck may have ended it.
    private static async Task<string> HereAsync(BoxesClient ours, string sandbox) =>
        (string?)(await ours.GetAsync("/v1/sandboxes?id=" + sandbox)).Body!["status"] is "ready" or "active" ? sandbox : await ours.ReadyAsync(new() { ["runtime"] = "base" });

    // The head is the answer: some bodies never end.
    private static async Task<HttpStatusCode> AskAsync(BoxesClient client, HttpRequestMessage request)
    {
        using var patience = new CancellationTokenSource(Patience);
        using (request)
        using (var response = await client.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, patience.Token))
        {
            if (response.Content.Headers.ContentType?.MediaType == "application/json")
            {
                await response.Content.CopyToAsync(Stream.Null, patience.Token);
            }

            return response.StatusCode;
        }
    }

    private static HttpRequestMessage Make(Random random, ApiOperation operation, string sandbox)
    {
        var request = operation.Request(name => random.Next(3) == 0 ? null : name switch
        {
            "id" or "sandbox_id" when random.Next(12) == 0 && operation.Verb != HttpMethod.Delete => sandbox,
            // Nobody waits, and nothing runs for long.
            "waitMs" or "timeout" or "queueAtLimit" => random.Next(4),
            "command" or "code" => random.Next(2) == 0 ? "true" : Scrap(random),
            "path" when random.Next(2) == 0 => "/workspace/x",
            _ => Value(random, operation.Properties.GetValueOrDefault(name), depth: 2),
        });
        if (random.Next(4) == 0 && operation.Body == "application/json")
        {
            var body = Torn(random, request.Content!.ReadAsStringAsync().GetAwaiter().GetResult());
            request.Content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
        }

        if (random.Next(6) == 0)
        {
            request.Headers.TryAddWithoutValidation("Accept", random.Next(2) == 0 ? "text/event-stream" : "application/octet-stream");
        }

        if (random.Next(10) == 0)
        {
            request.Headers.TryAddWithoutValidation("Idempotency-Key", $"fuzz-{random.Next(50)}");
        }

        return request;
    }

    private static JsonNode? Value(Random random, JsonObject? schema, int depth) => (string?)schema?["type"] switch
    {
        _ when random.Next(8) == 0 => Odd(random),
        "integer" => random.NextInt64(-1, 1L << random.Next(1, 62)),
        "boolean" => random.Next(2) == 0,
        "array" => new JsonArray([.. Enumerable.Range(0, random.Next(4)).Select(_ => Value(random, schema!["items"] as JsonObject, depth - 1))]),
        "object" => new JsonObject { [Scrap(random)] = Scrap(random) },
        null when schema is not null && depth > 0 => new JsonObject { [Scrap(random)] = Value(random, null, depth - 1) },
        _ => Scrap(random),
    };

    private static JsonNode? Odd(Random random) => random.Next(6) switch
    {
        0 => null,
        1 => new JsonArray(),
        2 => new JsonObject(),
        3 => random.NextDouble() * 1e30,
        4 => new string('x', random.Next(5000)),
        _ => random.Next(2) == 0,
    };

    private static string Scrap(Random random) => Scraps[random.Next(Scraps.Length)];

    private static byte[] Torn(Random random, string json)
    {
        var body = Encoding.UTF8.GetBytes(json).ToList();
        for (var i = random.Next(1, 4); i > 0 && body.Count > 0; i--)
        {
            var at = random.Next(body.Count);
            switch (random.Next(3))
            {
                case 0:
                    body[at] = (byte)random.Next(256);
                    break;
                case 1:
                    body.RemoveRange(at, random.Next(body.Count - at + 1));
                    break;
                default:
                    body.InsertRange(at, Encoding.UTF8.GetBytes(Scrap(random)));
                    break;
            }
        }

        return [.. body];
    }
}
