using System.Diagnostics;
using System.Text.RegularExpressions;
using Xunit;

namespace Corral.EndToEnd.Tests.Browser;

/// <summary>A headless Chromium, as an unprivileged user and inside its own sandbox, with a profile that is gone afterwards.</summary>
internal sealed partial class Chromium : IAsyncDisposable
{
    private const string Nobody = "65534";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    private readonly Process _process;
    private readonly string _profile;

    private Chromium(Process process, string profile) => (_process, _profile) = (process, profile);

    /// <summary>Where its DevTools listen.</summary>
    public Uri DevTools { get; private set; } = new("ws://127.0.0.1");

    public static async Task<Chromium> StartAsync()
    {
        if (!File.Exists("/usr/bin/chromium"))
        {
            if (Environment.GetEnvironmentVariable("CI") == "true") Assert.Fail("Missing here: chromium.");
            Assert.Skip("Missing here: chromium.");
        }

        var profile = Directory.CreateTempSubdirectory("corral-chromium-").FullName;
        File.SetUnixFileMode(profile, (UnixFileMode)0b111_111_111);
        var start = new ProcessStartInfo("setpriv",
        [
            "--reuid", Nobody, "--regid", Nobody, "--clear-groups", "--", "/usr/bin/chromium", "--headless=new", "--remote-debugging-port=0", "--user-data-dir=" + profile + "/profile",
            "--no-first-run", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "about:blank",
        ])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            WorkingDirectory = profile,
        };
        start.Environment["HOME"] = profile;
        var browser = new Chromium(Process.Start(start)!, profile);
        try
        {
            await browser.ListensAsync();
            return browser;
        }
        catch
        {
            await browser.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        Directory.Delete(_profile, recursive: true);
    }

    private async Task ListensAsync()
    {
        using var patience = new CancellationTokenSource(Patience);
        var said = new List<string>();
        while (await _process.StandardError.ReadLineAsync(patience.Token) is { } line)
        {
            said.Add(line);
            if (Listening().Match(line) is { Success: true } match)
            {
                DevTools = new Uri(match.Groups[1].Value);
                // What it says later is of no interest, and must not fill the pipe.
                _ = _process.StandardError.BaseStream.CopyToAsync(Stream.Null, CancellationToken.None);
                _ = _process.StandardOutput.BaseStream.CopyToAsync(Stream.Null, CancellationToken.None);
                return;
            }
        }

        throw new InvalidOperationException("Chromium did not start:\n" + string.Join('\n', said));
    }

    [GeneratedRegex("DevTools listening on (ws://.*)$")]
    private static partial Regex Listening();
}
