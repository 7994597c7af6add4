using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;

namespace Corral.Tests.Instance;

/// <summary>An answer of the JSON API.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Body">The body, where it is JSON.</param>
/// <param name="Headers">All headers.</param>
/// <param name="Text">The body as text.</param>
public sealed record Answer(HttpStatusCode Status, JsonNode? Body, HttpResponseHeaders Headers, string Text)
{
    /// <summary>The text of an error.</summary>
    public string? Error => (string?)Body?["error"];
}

/// <summary>Speaks the boxes dialect as a client of it would.</summary>
public sealed class BoxesClient(Uri endpoint, string? key) : IDisposable
{
    private static readonly TimeSpan ReadyPatience = TimeSpan.FromMinutes(2);

    /// <summary>The plain client, for what the methods below do not offer.</summary>
    public HttpClient Http { get; } = Create(endpoint, key);

    /// <summary>GETs a path.</summary>
    public Task<Answer> GetAsync(string path) => SendAsync(new HttpRequestMessage(HttpMethod.Get, path));

    /// <summary>DELETEs a path.</summary>
    public Task<Answer> DeleteAsync(string path) => SendAsync(new HttpRequestMessage(HttpMethod.Delete, path));

    /// <summary>POSTs an object.</summary>
    public Task<Answer> PostAsync(string path, JsonObject body) => PostTextAsync(path, body.ToJsonString());

    /// <summary>POSTs a text.</summary>
    public Task<Answer> PostTextAsync(string path, string body) => SendAsync(new HttpRequestMessage(HttpMethod.Post, path)
    {
        Content = new StringContent(body, Encoding.UTF8, "application/json"),
    });

    /// <summary>Creates a sandbox and waits until it takes work.</summary>
    public async Task<string> ReadyAsync(JsonObject create)
    {
        var created = await PostAsync("/v1/sandboxes", create);
        if (created.Status != HttpStatusCode.Created)
        {
            throw new InvalidOperationException($"create answered {(int)created.Status}: {created.Text}");
        }

        var id = (string)created.Body!["id"]!;
        await UntilAsync(id, "ready");
        return id;
    }

    /// <summary>Waits until a sandbox is in a state.</summary>
    public async Task<JsonNode> UntilAsync(string id, string status)
    {
        using var patience = new CancellationTokenSource(ReadyPatience);
        while (true)
        {
            var answer = await GetAsync($"/v1/sandboxes?id={id}");
            var seen = (string?)answer.Body?["status"];
            if (seen == status || (status == "ready" && seen == "active"))
            {
                return answer.Body!;
            }

            if (seen is "failed" or "ended" || patience.IsCancellationRequested)
            {
                throw new InvalidOperationException($"waited for {status}, saw {answer.Text}");
            }

            await Task.Delay(25);
        }
    }

    /// <summary>Runs a shell line.</summary>
    public async Task<JsonNode> ExecAsync(string id, string command, JsonObject? more = null)
    {
        var body = more ?? [];
        body["id"] = id;
        body["command"] = command;
        var answer = await PostAsync("/v1/sandboxes/exec", body);
        return answer.Status == HttpStatusCode.OK
            ? answer.Body!
            : throw new InvalidOperationException($"exec answered {(int)answer.Status}: {answer.Text}");
    }

    /// <summary>Ends a sandbox.</summary>
    public Task<Answer> EndAsync(string id) => DeleteAsync($"/v1/sandboxes?id={id}");

    /// <summary>The events of a streamed answer, until it ends.</summary>
    public async Task<IReadOnlyList<(string Event, JsonNode Data)>> EventsAsync(string path, JsonObject body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path)
        {
            Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json"),
        };
        using var response = await Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        response.EnsureSuccessStatusCode();
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        var events = new List<(string, JsonNode)>();
        var name = "";
        while (await reader.ReadLineAsync() is { } line)
        {
            if (line.StartsWith("event: ", StringComparison.Ordinal))
            {
                name = line["event: ".Length..];
            }
            else if (line.StartsWith("data: ", StringComparison.Ordinal))
            {
                events.Add((name, JsonNode.Parse(line["data: ".Length..])!));
            }
        }

        return events;
    }

    /// <summary>Sends a request.</summary>
    public async Task<Answer> SendAsync(HttpRequestMessage request)
    {
        using (request)
        using (var response = await Http.SendAsync(request))
        {
            var text = await response.Content.ReadAsStringAsync();
            return new Answer(response.StatusCode, Parse(text), response.Headers, text);
        }
    }

    /// <summary>Closes its connections.</summary>
    public void Dispose() => Http.Dispose();

    private static JsonNode? Parse(string text)
    {
        try
        {
            return JsonNode.Parse(text);
        }
        catch (System.Text.Json.JsonException)
        {
            return null;
        }
    }

    private static HttpClient Create(Uri endpoint, string? key)
    {
        var client = new HttpClient { BaseAddress = endpoint, Timeout = TimeSpan.FromMinutes(3) };
        if (key is not null)
        {
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        }

        return client;
    }
}
