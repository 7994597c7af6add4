using Corral.NodeAgent.Host;
using Corral.NodeAgent.Sandboxes;
using Xunit;

namespace Corral.NodeAgent.Tests;

/// <summary>Attacks from inside, as root of the sandbox; each must be refused.</summary>
public sealed class IsolationTests(SharedNode shared)
{
    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task Root_inside_can_do_nothing_to_the_host(string isolation)
    {
        var node = await shared.GetAsync(isolation);
        var order = node.Order(isolation);
        var box = await node.RunAsync(order);
        try
        {
            await RefuseAsync(node, box, "mknod /tmp/disk b 254 0 && head -c 1 /tmp/disk | wc -c | grep -q 1");
            await RefuseAsync(node, box, "mkdir -p /tmp/m && perl -e 'exit(syscall(165, \"tmpfs\", \"/tmp/m\", \"tmpfs\", 0, 0) == 0 ? 0 : 1)'"); // mount
            await RefuseAsync(node, box, "echo 1 > /proc/sys/kernel/panic");
            await RefuseAsync(node, box, "echo b > /proc/sysrq-trigger");
            await RefuseAsync(node, box, "test -s /proc/kcore && head -c 1 /proc/kcore | grep -q .");
            await RefuseAsync(node, box, "perl -e 'socket(S, 17, 3, 0) or exit 1'"); // a raw packet socket
            Assert.Equal("00000000000004fb", await node.ShAsync(box, "sed -n 's/^CapEff:\\s*//p' /proc/self/status"));
            Assert.Equal("00000000000004fb", await node.ShAsync(box, "sed -n 's/^CapBnd:\\s*//p' /proc/self/status"));
            Assert.Equal("ok", await node.ShAsync(box, "ls /sys/fs/cgroup/memory /sys/kernel/debug/. 2>/dev/null | grep -q . || echo ok"));
            Assert.Equal("1", await node.ShAsync(box, "cat /proc/1/status | sed -n 's/^Pid:\\s*//p'"));
        }
        finally
        {
            await node.Table.EndAsync(order.SandboxId, 1, CancellationToken.None);
        }
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task The_hosts_devices_stay_the_hosts(string isolation)
    {
        var node = await shared.GetAsync(isolation);
        var order = node.Order(isolation);
        string[] devices = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];
        string[] state = ["--format=%n %U:%G %a", .. devices];
        var before = HostProcess.Require("/usr/bin/stat", state);
        var box = await node.RunAsync(order);
        await node.ShAsync(box, $"chmod 600 {string.Join(' ', devices)}; chown 1000 {string.Join(' ', devices)}; rm -f /dev/null");
        Assert.Equal(before, HostProcess.Require("/usr/bin/stat", state));
        Assert.Contains("/dev/null root:root 666", before, StringComparison.Ordinal);
        await node.Table.EndAsync(order.SandboxId, 1, CancellationToken.None);
    }

    [Fact]
    public async Task On_the_hosts_kernel_a_filter_and_a_user_namespace_are_in_force()
    {
        var node = await shared.GetAsync("runc");
        var order = node.Order("runc");
        var box = await node.RunAsync(order);
        var status = await node.ShAsync(box, "cat /proc/self/status");
        Assert.Contains("Seccomp:\t2", status, StringComparison.Ordinal);
        Assert.Contains("NoNewPrivs:\t1", status, StringComparison.Ordinal);
        var map = await node.ShAsync(box, "cat /proc/self/uid_map");
        Assert.Equal(["0", "100000", "65536"], map.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        await RefuseAsync(node, box, "unshare --mount true");
        await RefuseAsync(node, box, "unshare --user true");
        // Refused by the filter, not by missing rights: keyctl needs none.
        await RefuseAsync(node, box, "perl -e '$! = 0; exit(syscall(250, 0, -3, 1) >= 0 ? 0 : 1)'");
        // A file of the sandbox's root belongs to nobody that exists outside.
        await node.ShAsync(box, "touch /made-inside");
        Assert.Equal("0 0", await node.ShAsync(box, "stat -c '%u %g' /made-inside"));
        Assert.Equal("0", await node.ShAsync(box, "stat -c %u /etc/passwd"));
        await node.Table.EndAsync(order.SandboxId, 1, CancellationToken.None);
    }

    [Fact]
    public async Task On_gvisor_the_kernel_is_not_the_hosts()
    {
        var node = await shared.GetAsync("runsc");
        var order = node.Order("runsc");
        var box = await node.RunAsync(order);
        Assert.Contains("gVisor", await node.ShAsync(box, "dmesg"), StringComparison.Ordinal);
        Assert.NotEqual(File.ReadAllText("/proc/version").Trim(), await node.ShAsync(box, "cat /proc/version"));
        await node.Table.EndAsync(order.SandboxId, 1, CancellationToken.None);
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task Nothing_leaves_a_sandbox_and_sandboxes_do_not_see_each_other(string isolation)
    {
        var node = await shared.GetAsync(isolation);
        var (one, two) = (node.Order(isolation), node.Order(isolation));
        var box = await node.RunAsync(one);
        var other = await node.RunAsync(two);
        // Its own links only, and no IPv6.
        Assert.Equal("eth0 lo", await node.ShAsync(box, "perl -ne 'print \"$1\\n\" if /^\\s*(\\w+):/' /proc/net/dev | sort | tr '\\n' ' '"));
        const string Connect = "perl -MSocket -e 'socket(S, PF_INET, SOCK_STREAM, 0); alarm 1; exit(connect(S, pack_sockaddr_in($ARGV[1], inet_aton($ARGV[0]))) ? 0 : 1)' ";
        foreach (var address in new[] { "1.1.1.1 53", "100.64.0.1 22", "100.64.0.1 7007", "169.254.169.254 80", "10.0.0.1 80" })
            await RefuseAsync(node, box, Connect + address);
        Assert.Equal("reached", await node.ShAsync(box, Connect + "100.64.0.2 7007 && echo reached")); // itself, so the probe works
        await node.ShAsync(box, "echo mine > /workspace/mark");
        await RefuseAsync(node, other, "test -e /workspace/mark");
        await node.Table.EndAsync(one.SandboxId, 1, CancellationToken.None);
        await node.Table.EndAsync(two.SandboxId, 1, CancellationToken.None);
    }

    [Theory]
    [InlineData("runc")]
    [InlineData("runsc")]
    public async Task The_template_and_the_guest_are_read_only_to_all(string isolation)
    {
        var node = await shared.GetAsync(isolation);
        var order = node.Order(isolation);
        var box = await node.RunAsync(order);
        await RefuseAsync(node, box, "echo x > /run/corral/guest");
        await RefuseAsync(node, box, "rm -f /run/corral/guest");
        Assert.Equal("changed", await node.ShAsync(box, "echo changed > /etc/passwd; cat /etc/passwd"));
        await node.Table.EndAsync(order.SandboxId, 1, CancellationToken.None);
        var next = node.Order(isolation);
        Assert.Contains("root:", await node.ShAsync(await node.RunAsync(next), "cat /etc/passwd"), StringComparison.Ordinal);
        await node.Table.EndAsync(next.SandboxId, 1, CancellationToken.None);
    }

    private static async Task RefuseAsync(TestNode node, Box box, string attack)
    {
        var answer = await node.ShAsync(box, $"( {attack} ) >/dev/null 2>&1 && echo ALLOWED || echo refused");
        Assert.True(answer.EndsWith("refused", StringComparison.Ordinal), $"{attack}: {answer}");
    }
}
