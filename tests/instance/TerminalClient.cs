using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;

namespace Corral.Tests.Instance;

/// <summary>A terminal's WebSocket, as a client of it would use it: counts the bytes, and can come back to where it was.</summary>
public sealed class TerminalClient : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly ClientWebSocket _socket = new();
    private readonly byte[] _room = new byte[64 * 1024];
    private readonly StringBuilder _tail = new();

    /// <summary>Which start of the shell it looks at.</summary>
    public string Session { get; private set; } = "";

    /// <summary>How many bytes of its output are behind.</summary>
    public long Offset { get; private set; }

    /// <summary>How many bytes came through this connection.</summary>
    public long Received { get; private set; }

    /// <summary>The text frames that came, the oldest first.</summary>
    public List<JsonNode> Told { get; } = [];

    /// <summary>How the connection was closed, once it was.</summary>
    public (int Status, string Reason)? Closed { get; private set; }

    /// <summary>Asks for a terminal's address.</summary>
    public static async Task<JsonNode> OpenAsync(BoxesClient client, string id, string more = "")
    {
        var answer = await client.GetAsync($"/v1/sandboxes/terminal?id={id}{more}");
        return answer.Status == System.Net.HttpStatusCode.OK ? answer.Body! : throw new InvalidOperationException($"terminal answered {(int)answer.Status}: {answer.Text}");
    }

    /// <summary>Connects, and waits until the terminal answers.</summary>
    public static async Task<TerminalClient> ConnectAsync(string url, string? session = null, long after = 0, Action<ClientWebSocketOptions>? configure = null)
    {
        var client = new TerminalClient();
        configure?.Invoke(client._socket.Options);
        using var patience = new CancellationTokenSource(Patience);
        await client._socket.ConnectAsync(new Uri(session is null ? url : $"{url}&session={session}&after={after}"), patience.Token);
        while (client.Session.Length == 0 && client.Closed is null) await client.ReceiveAsync();
        return client;
    }

    /// <summary>Types.</summary>
    public Task TypeAsync(string text) => _socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Binary, true, CancellationToken.None);

    /// <summary>Sends a text frame.</summary>
    public Task TellAsync(string json) => _socket.SendAsync(Encoding.UTF8.GetBytes(json), WebSocketMessageType.Text, true, CancellationToken.None);

    /// <summary>Reads until the output holds a text; what comes after it is left for the next.</summary>
    public async Task UntilAsync(string text)
    {
        while (true)
        {
            var seen = _tail.ToString();
            if (seen.IndexOf(text, StringComparison.Ordinal) is >= 0 and var at)
            {
                _tail.Remove(0, at + text.Length);
                return;
            }

            if (_tail.Length > 200_000) _tail.Remove(0, _tail.Length - text.Length);
            if (Closed is { } closed) throw new InvalidOperationException($"Closed with {closed} before '{text}'; there was: {seen}");
            await ReceiveAsync(text);
        }
    }

    /// <summary>Reads until something of that type was told.</summary>
    public async Task<JsonNode> UntilToldAsync(string type)
    {
        while (Told.Find(told => (string)told["type"]! == type) is null)
        {
            if (Closed is { } closed) throw new InvalidOperationException($"Closed with {closed} before '{type}'");
            await ReceiveAsync(type);
        }

        return Told.Find(told => (string)told["type"]! == type)!;
    }

    /// <summary>Reads until the other side closes, or the connection breaks.</summary>
    public async Task<int> UntilClosedAsync()
    {
        while (Closed is null) await ReceiveAsync("the close");
        return Closed!.Value.Status;
    }

    /// <summary>Leaves, without a word.</summary>
    public void Dispose() => _socket.Dispose();

    private async Task ReceiveAsync(string waitingFor = "attached")
    {
        using var patience = new CancellationTokenSource(Patience);
        try
        {
            var got = await _socket.ReceiveAsync(_room, patience.Token);
            switch (got.MessageType)
            {
                case WebSocketMessageType.Binary:
                    (Offset, Received) = (Offset + got.Count, Received + got.Count);
                    _tail.Append(Encoding.UTF8.GetString(_room, 0, got.Count));
                    break;
                case WebSocketMessageType.Text:
                    Hear(JsonNode.Parse(Encoding.UTF8.GetString(_room, 0, got.Count))!);
                    break;
                default:
                    Closed = ((int?)_socket.CloseStatus ?? 1005, _socket.CloseStatusDescription ?? "");
                    if (_socket.State == WebSocketState.CloseReceived) await _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, "", CancellationToken.None);
                    break;
            }
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"Waited in vain for '{waitingFor}'; there was: {_tail}");
        }
        catch (WebSocketException problem)
        {
            Closed = (1006, problem.Message);
        }
    }

    private void Hear(JsonNode told)
    {
        Told.Add(told);
        if (told["session"] is { } session) Session = (string)session!;
        if (told["offset"] is { } offset) Offset = (long)offset!;
    }
}
