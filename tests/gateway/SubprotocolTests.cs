using System.Net;
using System.Net.Sockets;
using System.Text;
using Xunit;

namespace Corral.Gateway.Tests;

/// <summary>What subprotocols a terminal's WebSocket is opened with.</summary>
public sealed class SubprotocolTests : LimitedGateways
{
    protected override Dictionary<string, string?> Settings => new() { ["RateLimits:Enabled"] = "false" };

    [Theory]
    [InlineData(null, null)]
    [InlineData("corral.token.org~key-1~main~1~proof, corral.terminal.v1", "corral.terminal.v1")]
    [InlineData("\u00c3\u00a9, corral.terminal.v1", "corral.terminal.v1")]
    [InlineData("chat, other", "chat")]
    [InlineData("\u00c3\u00a9, other", "other")]
    [InlineData("a b, other", "other")]
    public async Task OneThatWasOffered_IsAnswered(string? offered, string? answered)
    {
        var head = await OpenAsync(offered);

        Assert.StartsWith("HTTP/1.1 101 ", head, StringComparison.Ordinal);
        Assert.Equal(answered, head.Split("\r\n").FirstOrDefault(line => line.StartsWith("Sec-WebSocket-Protocol: ", StringComparison.Ordinal))?.Split(": ")[1]);
    }

    [Theory]
    [InlineData("\u00c3\u00a9")]
    [InlineData("a b")]
    [InlineData("\"a(b\"")]
    public async Task WhereNoneCanBeAnswered_ItIsRefused(string offered)
    {
        Assert.StartsWith("HTTP/1.1 400 ", await OpenAsync(offered), StringComparison.Ordinal);
        Assert.Equal(0, Upstream.Viewers);
    }

    // By hand, because clients send no such bytes.
    private async Task<string> OpenAsync(string? offered)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, Replicas[0].BaseAddress!.Port);
        await socket.SendAsync(Encoding.Latin1.GetBytes(
            $"GET /v1/sandboxes/terminal/socket?id=sbx-x HTTP/1.1\r\nHost: x\r\nAuthorization: {LimitedUpstream.Key}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            + $"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{(offered is null ? "" : $"Sec-WebSocket-Protocol: {offered}\r\n")}\r\n"));
        var (answer, length) = (new byte[16 * 1024], 0);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        do
        {
            var got = await socket.ReceiveAsync(answer.AsMemory(length), patience.Token);
            Assert.NotEqual(0, got);
            length += got;
        }
        while (answer.AsSpan(0, length).IndexOf("\r\n\r\n"u8) < 0);

        return Encoding.ASCII.GetString(answer, 0, length);
    }
}
