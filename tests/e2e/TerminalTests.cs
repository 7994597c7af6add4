using System.Net;
using System.Net.WebSockets;
using Corral.Tests.Instance;
using Xunit;

namespace Corral.EndToEnd.Tests;

/// <summary>Terminals over their WebSockets.</summary>
public sealed class TerminalTests(SharedInstance shared)
{
    private int _count;

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task ATerminal_TypesShowsResizesInterrupts_AndEndsWithItsShell(string isolation)
    {
        var id = await shared.SandboxAsync(isolation);
        var opened = await TerminalClient.OpenAsync(shared.Boxes, id, $"&terminal={Name()}&cols=100&rows=30");
        using var terminal = await TerminalClient.ConnectAsync((string)opened["url"]!);
        await terminal.TypeAsync("stty size; id -un; pwd; echo gr\u00fc\u00df$((40+2))\r");
        foreach (var text in new[] { "30 100", "user", "/workspace", "gr\u00fc\u00df42" }) await terminal.UntilAsync(text);
        await terminal.TellAsync("{\"type\":\"resize\",\"cols\":132,\"rows\":50}");
        Assert.Equal((132, 50), (await terminal.UntilToldAsync("resized") is var size ? ((int)size["cols"]!, (int)size["rows"]!) : default));
        await terminal.TypeAsync("stty size\r");
        await terminal.UntilAsync("50 132");
        await terminal.UntilAsync("$ ");
        // What says this has the terminal already: before that, the shell itself would be interrupted.
        await terminal.TypeAsync("sh -c 'echo has-it-$((40+2)); exec sleep 1000'\r");
        await terminal.UntilAsync("has-it-42");
        await terminal.TypeAsync("\u0003");
        await terminal.TypeAsync("echo interrupted=$?\r");
        await terminal.UntilAsync("interrupted=130");
        await terminal.TypeAsync("exit 4\r");
        Assert.Equal(4, (int)(await terminal.UntilToldAsync("exit"))["exitCode"]!);
        Assert.Equal(1000, await terminal.UntilClosedAsync());
    }

    [Fact]
    public async Task SeveralViewers_SeeAndTypeInOneTerminal_AndALaterOneSeesWhatWas()
    {
        var id = await shared.SandboxAsync("runc");
        var url = (string)(await TerminalClient.OpenAsync(shared.Boxes, id, $"&terminal={Name()}"))["url"]!;
        using var one = await TerminalClient.ConnectAsync(url);
        using var two = await TerminalClient.ConnectAsync(url);
        Assert.Equal(one.Session, two.Session);
        await one.TypeAsync("echo from-$((1))\r");
        await two.UntilAsync("from-1");
        await two.TypeAsync("echo from-$((2))\r");
        await one.UntilAsync("from-2");
        using var late = await TerminalClient.ConnectAsync(url);
        await late.UntilAsync("from-1");
        await late.UntilAsync("from-2");
        await late.TypeAsync("exit\r");
        foreach (var viewer in new[] { one, two, late }) Assert.Equal(1000, await viewer.UntilClosedAsync());
        using var fresh = await TerminalClient.ConnectAsync(url);
        Assert.NotEqual(one.Session, fresh.Session);
    }

    [Fact]
    public async Task AViewerThatComesBack_MissesNothingAndGetsNothingTwice()
    {
        var id = await shared.SandboxAsync("runsc");
        var url = (string)(await TerminalClient.OpenAsync(shared.Boxes, id, $"&terminal={Name()}"))["url"]!;
        var first = await TerminalClient.ConnectAsync(url);
        await first.TypeAsync("stty -echo; for i in $(seq 1 50); do echo tick $i; sleep 0.05; done\r");
        await first.UntilAsync("tick 5\r\n");
        var (session, offset) = (first.Session, first.Offset);
        first.Dispose();
        using var second = await TerminalClient.ConnectAsync(url, session, offset);
        Assert.Equal((session, offset), (second.Session, (long)second.Told[0]["offset"]!));
        await second.UntilAsync("tick 50\r\n");
        using var check = await TerminalClient.ConnectAsync(url, session, offset);
        await check.UntilAsync("tick 50\r\n");
        Assert.Equal(second.Offset, check.Offset);
        await second.TypeAsync("exit\r");
        Assert.Equal(1000, await second.UntilClosedAsync());
        using var missed = await TerminalClient.ConnectAsync(url, session, second.Offset);
        Assert.Equal(0, (int)(await missed.UntilToldAsync("exit"))["exitCode"]!);
    }

    [Fact]
    public async Task TenMegabytes_ReachAViewer_WhileOneThatTakesNothingIsLeftBehind()
    {
        var id = await shared.SandboxAsync("runc");
        var url = (string)(await TerminalClient.OpenAsync(shared.Boxes, id, $"&terminal={Name()}"))["url"]!;
        using var stuck = await TerminalClient.ConnectAsync(url);
        using var viewer = await TerminalClient.ConnectAsync(url);
        await viewer.TypeAsync("stty -echo; head -c 10000000 /dev/zero | tr '\\0' x; echo the-$((1))-end\r");
        await viewer.UntilAsync("the-1-end");
        Assert.DoesNotContain(viewer.Told, told => (string)told["type"]! == "skipped");
        Assert.InRange(viewer.Received, 10_000_000, 10_100_000);
        await viewer.TypeAsync("head -c 20000000 /dev/zero | tr '\\0' y; echo the-$((2))-end\r");
        await viewer.UntilAsync("the-2-end");
        await stuck.UntilAsync("the-2-end");
        Assert.Contains(stuck.Told, told => (string)told["type"]! == "skipped");
        Assert.True(stuck.Received < 29_000_000, $"it got {stuck.Received} bytes");
    }

    [Fact]
    public async Task ATerminal_IsOpenedByItsTokenOrAnApiKey_AndByNothingElse()
    {
        var id = await shared.SandboxAsync("runc");
        var name = Name();
        var opened = await TerminalClient.OpenAsync(shared.Boxes, id, $"&terminal={name}");
        var (url, token) = ((string)opened["url"]!, (string)opened["token"]!);
        Assert.InRange((long)opened["expiresAt"]! - DateTimeOffset.UtcNow.ToUnixTimeMilliseconds(), 60_000, 3_600_000);
        var bare = url[..url.IndexOf("&token=", StringComparison.Ordinal)];
        using (await TerminalClient.ConnectAsync(bare, configure: options => options.SetRequestHeader("Authorization", "Bearer " + shared.Instance.Key)))
        using (await TerminalClient.ConnectAsync(bare, configure: options => { options.AddSubProtocol("corral.terminal.v1"); options.AddSubProtocol("corral.token." + token); }))
        {
        }

        var other = await shared.SandboxAsync("runsc");
        foreach (var (wrong, expected) in new[]
        {
            (bare, 401),
            (bare + "&token=nonsense", 401),
            (bare + "&token=" + Uri.EscapeDataString(token[..^1] + (token[^1] == '0' ? '1' : '0')), 401),
            (url.Replace(id, other, StringComparison.Ordinal), 401),
            (url.Replace(id, "sbx-nobody", StringComparison.Ordinal), 401),
            (url.Replace($"terminal={name}", "terminal=other", StringComparison.Ordinal), 401),
            (url.Replace("cols=80", "cols=0", StringComparison.Ordinal), 400),
            (url + "&surplus=1", 400),
        })
        {
            Assert.Equal((wrong, expected), (wrong, await RefusedAsync(wrong)));
        }

        Assert.Equal(403, await RefusedAsync(url, "https://evil.example"));
        Assert.Equal(101, await RefusedAsync(url, shared.Instance.Endpoint.GetLeftPart(UriPartial.Authority)));
        Assert.Equal(HttpStatusCode.UpgradeRequired, (await shared.Boxes.GetAsync(new Uri(url).PathAndQuery)).Status);
    }

    [Theory]
    [InlineData("DELETE", "?id=KEY", "", 401)]
    [InlineData("PATCH", "", "{\"id\":\"KEY\",\"scopes\":[\"sandbox_sessions:read\"]}", 403)]
    public async Task AToken_OpensNothingAndKeepsNothingOpen_OnceItsKeyIsRevokedOrNarrowed(string verb, string query, string body, int refused)
    {
        var id = await shared.SandboxAsync("runc");
        var made = await shared.Boxes.PostTextAsync("/v1/api-keys", "{\"name\":\"viewer\",\"scopes\":[\"sandbox_sessions:exec\"]}");
        using var holder = new BoxesClient(shared.Instance.Endpoint, (string)made.Body!["key"]!);
        var name = Name();
        var url = (string)(await TerminalClient.OpenAsync(holder, id, $"&terminal={name}"))["url"]!;
        using var terminal = await TerminalClient.ConnectAsync(url);
        using var bystander = await TerminalClient.ConnectAsync((string)(await TerminalClient.OpenAsync(shared.Boxes, id, $"&terminal={name}"))["url"]!);
        await terminal.TypeAsync("echo begun-$((1))\r");
        await terminal.UntilAsync("begun-1");

        var (path, content) = ("/v1/api-keys" + query.Replace("KEY", (string)made.Body["id"]!, StringComparison.Ordinal), body.Replace("KEY", (string)made.Body["id"]!, StringComparison.Ordinal));
        using var changing = new HttpRequestMessage(new HttpMethod(verb), path) { Content = new StringContent(content) };
        using var changed = await shared.Boxes.Http.SendAsync(changing);

        Assert.Equal(HttpStatusCode.OK, changed.StatusCode);
        // Within a second, and in any case long before the token expires.
        Assert.Equal(1006, await terminal.UntilClosedAsync().WaitAsync(TimeSpan.FromSeconds(20)));
        Assert.Equal(refused, await RefusedAsync(url));
        await bystander.TypeAsync("echo still-$((1))\r");
        await bystander.UntilAsync("still-1");
    }

    [Theory]
    [InlineData("{\"type\":\"resize\",\"cols\":0,\"rows\":24}")]
    [InlineData("{\"type\":\"resize\"}")]
    [InlineData("{\"type\":\"delete\"}")]
    [InlineData("ls\r")]
    [InlineData("[[[[")]
    public async Task ATextFrameThatIsNoControl_ClosesTheConnection_AndNotTheTerminal(string frame)
    {
        var id = await shared.SandboxAsync("runc");
        var url = (string)(await TerminalClient.OpenAsync(shared.Boxes, id, $"&terminal=rules"))["url"]!;
        using var terminal = await TerminalClient.ConnectAsync(url);
        await terminal.TellAsync(frame);
        Assert.Equal(1008, await terminal.UntilClosedAsync());
        using var again = await TerminalClient.ConnectAsync(url);
        Assert.Equal(terminal.Session, again.Session);
    }

    [Fact]
    public async Task TheAddressThatASandboxTells_OpensItsTerminalForAKey_WhileItTakesWork()
    {
        var created = await shared.Boxes.PostAsync("/v1/sandboxes", new() { ["runtime"] = "base" });
        var id = (string)created.Body!["id"]!;
        var ready = await shared.Boxes.UntilAsync(id, "ready");
        var url = (string)ready["terminalUrl"]!;

        Assert.Null(created.Body["terminalUrl"]);
        Assert.StartsWith("ws://" + shared.Instance.Endpoint.Authority, url, StringComparison.Ordinal);
        Assert.Contains(url, (await shared.Boxes.GetAsync("/v1/sandboxes")).Body!["items"]!.AsArray().Select(item => (string?)item!["terminalUrl"]));
        Assert.Equal(401, await RefusedAsync(url));
        using (await TerminalClient.ConnectAsync(url, configure: options => options.SetRequestHeader("Authorization", "Bearer " + shared.Instance.Key)))
        {
        }

        await shared.Boxes.EndAsync(id);
        Assert.Null((await shared.Boxes.UntilAsync(id, "ended"))["terminalUrl"]);
    }

    [Fact]
    public async Task ATerminal_EndsWithItsSandbox()
    {
        var id = await shared.Boxes.ReadyAsync(new() { ["runtime"] = "base", ["isolation"] = "runc" });
        using var terminal = await TerminalClient.ConnectAsync((string)(await TerminalClient.OpenAsync(shared.Boxes, id))["url"]!);
        await shared.Boxes.EndAsync(id);
        Assert.Contains(await terminal.UntilClosedAsync(), new[] { 4410, 1012 });
    }

    private static async Task<int> RefusedAsync(string url, string? origin = null)
    {
        using var socket = new ClientWebSocket();
        socket.Options.CollectHttpResponseDetails = true;
        if (origin is not null) socket.Options.SetRequestHeader("Origin", origin);
        try
        {
            await socket.ConnectAsync(new Uri(url), CancellationToken.None);
        }
        catch (WebSocketException)
        {
            // The status says why.
        }

        return (int)socket.HttpStatusCode;
    }

    private string Name() => $"t{Interlocked.Increment(ref _count)}-{Guid.NewGuid().ToString("N")[..8]}";
}
