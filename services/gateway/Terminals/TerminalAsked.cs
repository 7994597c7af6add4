using System.Globalization;
using Corral.Api.V1;
using Corral.Gateway.Transcoding;

namespace Corral.Gateway.Terminals;

/// <summary>What the address of a terminal's WebSocket says.</summary>
/// <param name="SandboxId">The sandbox.</param>
/// <param name="View">Which terminal, and from where.</param>
/// <param name="Token">The token; empty when there is none.</param>
/// <param name="Subprotocol">The subprotocol to answer; null when none was offered.</param>
internal sealed record TerminalAsked(string SandboxId, TerminalView View, string Token, string? Subprotocol)
{
    public const string Protocol = "corral.terminal.v1";
    private const string TokenProtocol = "corral.token.";
    private static readonly string[] Known = ["id", "terminal", "cols", "rows", "session", "after", "token"];

    /// <summary>Reads it; a <see cref="RequestException"/> says what is wrong.</summary>
    public static TerminalAsked Read(HttpContext context)
    {
        var query = context.Request.Query;
        if (query.Keys.FirstOrDefault(name => !Known.Contains(name)) is { } unknown)
        {
            throw new RequestException($"Unknown query parameter: {unknown}");
        }

        var view = new TerminalView
        {
            Terminal = query["terminal"].ToString(),
            Session = query["session"].ToString(),
            After = Number(query["after"].ToString(), "after", 0),
        };
        if (query.ContainsKey("cols") || query.ContainsKey("rows"))
        {
            view.Size = new TerminalSize { Columns = (int)Number(query["cols"].ToString(), "cols", 80, 1000), Rows = (int)Number(query["rows"].ToString(), "rows", 24, 1000) };
        }

        return new TerminalAsked(query["id"].ToString(), view, TokenOf(context), SubprotocolOf(context));
    }

    // A browser that offered some wants one of them, and it must be one that can be answered.
    private static string? SubprotocolOf(HttpContext context)
    {
        var offered = context.WebSockets.WebSocketRequestedProtocols;
        return offered.Count == 0 ? null
            : offered.Contains(Protocol) ? Protocol
            : offered.FirstOrDefault(IsToken) ?? throw new RequestException($"Invalid Sec-WebSocket-Protocol: must offer {Protocol}.");
    }

    private static bool IsToken(string text) => text.Length > 0 && text.All(c => char.IsAsciiLetterOrDigit(c) || "!#$%&'*+-.^_`|~".Contains(c));

    // A token in the address, or, where addresses are written down, beside the subprotocol.
    private static string TokenOf(HttpContext context) => context.Request.Query["token"] is [{ Length: > 0 } given, ..]
        ? given
        : context.WebSockets.WebSocketRequestedProtocols.FirstOrDefault(offered => offered.StartsWith(TokenProtocol, StringComparison.Ordinal))?[TokenProtocol.Length..] ?? "";

    private static long Number(string text, string name, long usual, long most = long.MaxValue) => text.Length == 0 ? usual
        : long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= most && number >= (name == "after" ? 0 : 1) ? number
        : throw new RequestException(most == long.MaxValue ? $"Invalid {name}: must be a number, at least 0." : $"Invalid {name}: must be from 1 to {most}.");
}
