using System.Text;
using System.Text.Json.Nodes;

namespace Corral.Tests.Instance;

/// <summary>One event of a streamed answer.</summary>
/// <param name="Name">The event's name.</param>
/// <param name="Id">Its id, where it has one.</param>
/// <param name="Data">What it says.</param>
public sealed record StreamedEvent(string Name, string? Id, JsonNode Data);

/// <summary>A streamed answer that is read event by event, and may be left before its end.</summary>
public sealed class EventSource : IDisposable
{
    private readonly HttpResponseMessage _response;
    private readonly StreamReader _reader;

    private EventSource(HttpResponseMessage response, Stream body) => (_response, _reader) = (response, new StreamReader(body, Encoding.UTF8));

    /// <summary>POSTs a request whose answer is streamed.</summary>
    public static async Task<EventSource> PostAsync(BoxesClient client, string path, JsonObject body, string? lastEventId = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json") };
        if (lastEventId is not null) request.Headers.Add("Last-Event-ID", lastEventId);
        return await OpenAsync(client, request);
    }

    /// <summary>GETs an answer that is streamed.</summary>
    public static async Task<EventSource> GetAsync(BoxesClient client, string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        return await OpenAsync(client, request);
    }

    /// <summary>The next event; null when the answer is over, in order or broken.</summary>
    public async Task<StreamedEvent?> NextAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(90));
        string? name = null, id = null;
        try
        {
            while (await _reader.ReadLineAsync(patience.Token) is { } line)
            {
                if (line.StartsWith("event: ", StringComparison.Ordinal)) name = line["event: ".Length..];
                if (line.StartsWith("id: ", StringComparison.Ordinal)) id = line["id: ".Length..];
                if (line.StartsWith("data: ", StringComparison.Ordinal)) return new StreamedEvent(name ?? "message", id, JsonNode.Parse(line["data: ".Length..])!);
            }
        }
        catch (Exception problem) when (problem is IOException or HttpRequestException)
        {
            // The connection broke.
        }

        return null;
    }

    /// <summary>All events up to the end.</summary>
    public async Task<IReadOnlyList<StreamedEvent>> RestAsync()
    {
        var events = new List<StreamedEvent>();
        while (await NextAsync() is { } next) events.Add(next);
        return events;
    }

    /// <summary>Leaves.</summary>
    public void Dispose()
    {
        _reader.Dispose();
        _response.Dispose();
    }

    private static async Task<EventSource> OpenAsync(BoxesClient client, HttpRequestMessage request)
    {
        var response = await client.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        if (!response.IsSuccessStatusCode) throw new InvalidOperationException($"{request.RequestUri} answered {(int)response.StatusCode}: {await response.Content.ReadAsStringAsync()}");
        return new EventSource(response, await response.Content.ReadAsStreamAsync());
    }
}
