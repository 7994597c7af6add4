using System.Diagnostics;

namespace Corral.Termination.Tests;

/// <summary>Programs that people run in sandboxes, with nothing but the sandbox's authority as what they trust.</summary>
public sealed class ClientTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData("--http1.1", "HTTP/1.1")]
    [InlineData("--http2", "HTTP/2")]
    public async Task Curl(string version, string spoken)
    {
        await using var rig = await Rig.StartAsync();
        var output = await rig.RunAsync("curl", "-sS", version, "--cacert", rig.Authority, "--connect-to", $"api.test:443:127.0.0.1:{rig.Port}", "-H", "Authorization: mine", "-d", "body", "https://api.test/x");
        Assert.StartsWith($"POST /x {spoken}\n", output, StringComparison.Ordinal);
        Assert.Contains($"authorization: {Terminating.Secret}\n", output, StringComparison.Ordinal);
        Assert.EndsWith("\n\nbody", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Openssl_FindsAChainAndAName()
    {
        await using var rig = await Rig.StartAsync();
        var output = await rig.RunAsync("openssl", "s_client", "-connect", $"127.0.0.1:{rig.Port}", "-servername", "api.test", "-verify_hostname", "api.test", "-verify_return_error", "-x509_strict", "-CAfile", rig.Authority, "-alpn", "h2");
        Assert.Contains("Verify return code: 0 (ok)", output, StringComparison.Ordinal);
        Assert.Contains("ALPN protocol: h2", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Python_WithStrictVerification()
    {
        await using var rig = await Rig.StartAsync();
        const string Program = """
            import http.client, socket, ssl, sys
            port, authority = int(sys.argv[1]), sys.argv[2]
            context = ssl.create_default_context(cafile=authority)
            context.verify_flags |= ssl.VERIFY_X509_STRICT
            connection = http.client.HTTPSConnection("api.test", context=context)
            connection.sock = context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="api.test")
            connection.request("PUT", "/py", body=iter([b"a", b"b"]), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
            sys.stdout.write(connection.getresponse().read().decode())
            """;
        var output = await rig.RunAsync("python3", "-c", Program, $"{rig.Port}", rig.Authority);
        Assert.StartsWith("PUT /py HTTP/1.1\n", output, StringComparison.Ordinal);
        Assert.EndsWith("\n\nab", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Node()
    {
        await using var rig = await Rig.StartAsync();
        const string Program = """
            const https = require('https'), tls = require('tls');
            const port = Number(process.argv[1]);
            https.get({ host: 'api.test', path: '/node', port: 443, defaultPort: 443, createConnection: () => tls.connect({ host: '127.0.0.1', port, servername: 'api.test' }) },
                answer => answer.pipe(process.stdout));
            """;
        var output = await rig.RunAsync("env", $"NODE_EXTRA_CA_CERTS={rig.Authority}", "node", "-e", Program, $"{rig.Port}");
        Assert.StartsWith("GET /node HTTP/1.1\n", output, StringComparison.Ordinal);
        Assert.Contains($"authorization: {Terminating.Secret}\n", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Client_ThatDoesNotTrustTheAuthority_Refuses()
    {
        await using var rig = await Rig.StartAsync();
        var problem = await Assert.ThrowsAsync<InvalidOperationException>(() => rig.RunAsync("curl", "-sS", "--connect-to", $"api.test:443:127.0.0.1:{rig.Port}", "https://api.test/x"));
        Assert.Contains("60", problem.Message, StringComparison.Ordinal);
    }

    private sealed record Rig(Terminating Terminating, Origin Origin, int Port, string Authority) : IAsyncDisposable
    {
        public static async Task<Rig> StartAsync()
        {
            var origin = await Origin.TlsAsync(Origin.EchoAsync, "api.test");
            var terminating = await Terminating.StartAsync();
            terminating.Dialer.Map("api.test", origin.Port);
            terminating.Apply(Terminating.Inject("api.test", "Authorization", Terminating.Secret));
            return new Rig(terminating, origin, terminating.Listen("api.test"), terminating.AuthorityFile());
        }

        public async Task<string> RunAsync(string program, params string[] arguments)
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
            process.StandardInput.Close();
            var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
            await process.WaitForExitAsync().WaitAsync(Patience);
            return process.ExitCode == 0 ? await output : throw new InvalidOperationException($"{program} ended with {process.ExitCode}: {await errors}");
        }

        public async ValueTask DisposeAsync()
        {
            await Terminating.DisposeAsync();
            await Origin.DisposeAsync();
        }
    }
}
