using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Corral.Tests.Instance;

namespace Corral.EndToEnd.Tests.Browser;

/// <summary>A site of one page, on a loopback port: xterm.js from npm, joined to a terminal's WebSocket as docs/terminal-and-streams.md says.</summary>
internal sealed class XtermSite : IDisposable
{
    private const string Html = """
        <!doctype html><meta charset="utf-8"><link rel="stylesheet" href="/xterm.css"><div id="screen"></div><script src="/xterm.js"></script>
        <script>
        const term = new Terminal({ cols: 80, rows: 24, scrollback: 1000 });
        term.open(document.getElementById("screen"));
        let received = 0, told = [], socket;
        function connect(url) {
            socket = new WebSocket(url);
            socket.binaryType = "arraybuffer";
            socket.onmessage = ({ data }) => {
                if (typeof data === "string") { told.push(JSON.parse(data)); return; }
                received += data.byteLength;
                term.write(new Uint8Array(data));
            };
            term.onData(text => socket.send(new TextEncoder().encode(text)));
            term.onResize(({ cols, rows }) => socket.send(JSON.stringify({ type: "resize", cols, rows })));
            term.focus();
        }
        function shown() {
            const buffer = term.buffer.active, lines = [];
            for (let row = 0; row < term.rows; row++) lines.push(buffer.getLine(buffer.baseY + row)?.translateToString(true) ?? "");
            return lines.join("\n");
        }
        </script>
        """;

    private readonly HttpListener _listener = new();
    private readonly string _package;

    private XtermSite(string package, int port)
    {
        _package = package;
        Address = $"http://127.0.0.1:{port}/";
        _listener.Prefixes.Add(Address);
        _listener.Start();
        _ = ServeAsync();
    }

    public string Address { get; }

    public static XtermSite Open()
    {
        using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        probe.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var port = ((IPEndPoint)probe.LocalEndPoint!).Port;
        probe.Close();
        return new XtermSite(Package(), port);
    }

    public void Dispose() => _listener.Close();

    private async Task ServeAsync()
    {
        try
        {
            while (true)
            {
                var context = await _listener.GetContextAsync();
                var (type, body) = context.Request.Url!.AbsolutePath switch
                {
                    "/" => ("text/html", System.Text.Encoding.UTF8.GetBytes(Html)),
                    "/xterm.js" => ("text/javascript", File.ReadAllBytes(_package + "/lib/xterm.js")),
                    "/xterm.css" => ("text/css", File.ReadAllBytes(_package + "/css/xterm.css")),
                    _ => ("text/plain", []),
                };
                context.Response.ContentType = type;
                context.Response.Close(body, willBlock: false);
            }
        }
        catch (Exception problem) when (problem is HttpListenerException or ObjectDisposedException)
        {
            // It is closed.
        }
    }

    // Kept beside the other tools that npm brings.
    private static string Package()
    {
        var tools = Path.Combine(Instance.Repository, "artifacts", "tools", "xterm");
        var package = Path.Combine(tools, "node_modules", "@xterm", "xterm");
        if (!File.Exists(package + "/lib/xterm.js"))
        {
            using var npm = Process.Start("npm", ["install", "--silent", "--no-save", "--prefix", tools, "@xterm/xterm@5"]);
            npm.WaitForExit();
            if (npm.ExitCode != 0) throw new InvalidOperationException("npm could not install @xterm/xterm.");
        }

        return package;
    }
}
