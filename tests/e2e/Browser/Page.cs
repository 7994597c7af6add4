using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;

namespace Corral.EndToEnd.Tests.Browser;

/// <summary>A page of a browser, driven over the DevTools protocol: one question at a time.</summary>
internal sealed class Page : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly ClientWebSocket _socket = new();
    private readonly byte[] _room = new byte[1 << 20];
    private string? _session;
    private int _asked;

    public static async Task<Page> OpenAsync(Chromium browser, string url)
    {
        var page = new Page();
        await page._socket.ConnectAsync(browser.DevTools, CancellationToken.None);
        var target = await page.AskAsync("Target.createTarget", new() { ["url"] = url });
        page._session = (string?)(await page.AskAsync("Target.attachToTarget", new() { ["targetId"] = (string)target["targetId"]!, ["flatten"] = true }))["sessionId"];
        return page;
    }

    /// <summary>Evaluates an expression; what it throws fails the test.</summary>
    public async Task<JsonNode?> EvaluateAsync(string expression)
    {
        var answer = await AskAsync("Runtime.evaluate", new() { ["expression"] = expression, ["returnByValue"] = true, ["awaitPromise"] = true });
        return answer["exceptionDetails"] is { } thrown ? throw new InvalidOperationException(thrown.ToJsonString()) : answer["result"]!["value"]?.DeepClone();
    }

    /// <summary>Waits until an expression is true; the failure says what was waited for, and what <paramref name="tell"/> evaluates to then.</summary>
    public async Task UntilAsync(string what, string expression, string tell)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (await EvaluateAsync(expression) is not JsonValue value || !value.TryGetValue<bool>(out var holds) || !holds)
        {
            if (patience.IsCancellationRequested) throw new TimeoutException($"Waited in vain until {what}; there was: {await EvaluateAsync(tell)}");
            await Task.Delay(20);
        }
    }

    /// <summary>Types a text as a keyboard, or the input method of one, does.</summary>
    public Task TypeAsync(string text) => AskAsync("Input.insertText", new() { ["text"] = text });

    /// <summary>Presses a key.</summary>
    /// <param name="key">As in a KeyboardEvent.</param>
    /// <param name="code">Its number.</param>
    /// <param name="text">What it types, if anything.</param>
    /// <param name="control">Whether the control key is held.</param>
    public async Task PressAsync(string key, int code, string? text = null, bool control = false)
    {
        var pressed = new JsonObject { ["type"] = text is null ? "rawKeyDown" : "keyDown", ["key"] = key, ["windowsVirtualKeyCode"] = code, ["modifiers"] = control ? 2 : 0 };
        if (text is not null) pressed["text"] = text;
        await AskAsync("Input.dispatchKeyEvent", pressed);
        await AskAsync("Input.dispatchKeyEvent", new() { ["type"] = "keyUp", ["key"] = key, ["windowsVirtualKeyCode"] = code, ["modifiers"] = control ? 2 : 0 });
    }

    public void Dispose() => _socket.Dispose();

    private async Task<JsonNode> AskAsync(string method, JsonObject parameters)
    {
        using var patience = new CancellationTokenSource(Patience);
        var id = ++_asked;
        var question = new JsonObject { ["id"] = id, ["method"] = method, ["params"] = parameters };
        if (_session is not null) question["sessionId"] = _session;
        await _socket.SendAsync(Encoding.UTF8.GetBytes(question.ToJsonString()), WebSocketMessageType.Text, true, patience.Token);
        while (true)
        {
            // Events come between, and are not asked for.
            var answer = JsonNode.Parse(await ReceiveAsync(patience.Token))!;
            if ((int?)answer["id"] != id) continue;
            return answer["error"] is { } error ? throw new InvalidOperationException($"{method}: {error.ToJsonString()}") : answer["result"]!;
        }
    }

    private async Task<string> ReceiveAsync(CancellationToken cancellationToken)
    {
        var length = 0;
        while (true)
        {
            var got = await _socket.ReceiveAsync(_room.AsMemory(length), cancellationToken);
            length += got.Count;
            if (got.EndOfMessage) return Encoding.UTF8.GetString(_room, 0, length);
        }
    }
}
