using Corral.Api.V1;
using Corral.Clients.Tests.Lab;
using Corral.Tests.Support;
using Xunit;

namespace Corral.Clients.Tests;

/// <summary>Java, which keeps authorities in a store of its own.</summary>
public sealed class JavaTests(ClientLab lab)
{
    // Whatever Java's libraries for fonts, sound and printers need is not missed here.
    private const string
        Install = "dpkg --install --force-depends java/*.deb",
        Get = "java -cp /usr/share/java/ant.jar:/usr/share/java/ant-launcher.jar org.apache.tools.ant.Main -f get.xml >&2 && cat /tmp/hello";

    [Fact]
    public async Task AsDebianInstallsIt_ItTrustsTheSandboxesAuthority_AndItsRequestGetsTheHeader()
    {
        var id = await lab.OwnAsync("python", "runc");
        await lab.BringAsync(id, "artifacts/tools/java", "java");
        var installed = await lab.RunAsync(id, ClientLab.Transformed, Install, "root");
        Assert.True(installed.ExitCode == 0, installed.Errors);

        var run = await lab.RunAsync(id, ClientLab.Transformed, Get);

        run.AssertPrinted("hello over HTTP/1.1\n");
        run.AssertAuthorized(ClientLab.Injected);
        await Eventually.Async("the log has the request", async () => (await lab.Instance.Native.EgressLogAsync(id)).Any(record =>
            record is { Kind: EgressKind.Request, Allowed: true, Name: ClientLab.Transformed, Path: "/hello", Status: 200 } && record.InjectedHeaders.Contains("Authorization")));
    }
}
